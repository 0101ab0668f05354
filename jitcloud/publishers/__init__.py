"""Publishers: how other programs come to know what was committed."""
