"""What git knows; the only code that runs git."""
