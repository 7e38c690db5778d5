"""Attributes of rules under the names that they had in version 0.1.0."""

# mypy: disable-error-code="attr-defined"


class FormerNames:
    """Read-only attributes that older programs may ask for; the new names say more."""

    @property
    def valued(self) -> bool:
        """The former name of `needs_value`."""
        return self.needs_value

    @property
    def layerwise(self) -> bool:
        """The former name of `needs_norms`."""
        return self.needs_norms

    @property
    def joint(self) -> bool:
        """The former name of `needs_global_sum`."""
        return self.needs_global_sum

    @property
    def tolerant(self) -> bool:
        """The former name of `handles_nonfinite`."""
        return self.handles_nonfinite

    @property
    def evaluations(self) -> int:
        """The former name of `gradients_per_step`."""
        return self.gradients_per_step

    @property
    def reports(self) -> bool:
        """The former name of `has_reported_point`."""
        return self.has_reported_point
