"""The HTTP API: thin in front, and a judge behind it that alone knows people and the record."""
