"""Attributes of rules under their names in version 0.1.0."""

# mypy: disable-error-code="attr-defined"


class FormerNames:
    """Read-only aliases of attributes, for programs written for version 0.1.0."""

    @property
    def valued(self) -> bool:
        """Alias of `needs_value`."""
        return self.needs_value

    @property
    def layerwise(self) -> bool:
        """Alias of `needs_norms`."""
        return self.needs_norms

    @property
    def joint(self) -> bool:
        """Alias of `needs_global_sum`."""
        return self.needs_global_sum

    @property
    def tolerant(self) -> bool:
        """Alias of `handles_nonfinite`."""
        return self.handles_nonfinite

    @property
    def evaluations(self) -> int:
        """Alias of `gradients_per_step`."""
        return self.gradients_per_step

    @property
    def reports(self) -> bool:
        """Alias of `has_reported_point`."""
        return self.has_reported_point
