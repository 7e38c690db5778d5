"""Comparing a gradient with finite differences."""
