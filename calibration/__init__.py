"""The real world comes in: tables and targets; what the model shows against what is known."""
