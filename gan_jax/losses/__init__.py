"""Adversarial losses, penalties, and the gradient norms they are made of."""
