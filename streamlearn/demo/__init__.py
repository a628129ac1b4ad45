"""A live job that is killed and resumed before one's eyes, and the proof that nothing was lost."""
