"""Where requests, their trails and slots are kept: adapters of ``ports.Store``."""
