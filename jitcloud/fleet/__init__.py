"""What a fleet of functions is made of, one module a function: each loads only what it needs."""
