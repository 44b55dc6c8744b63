"""The local page of a run: pictures, questions, answers."""
