"""Checking a gradient against finite differences."""
