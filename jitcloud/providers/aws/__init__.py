"""AWS: sessions that end at their deadline by themselves, and the document that ends them early."""
