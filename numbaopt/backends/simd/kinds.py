"""The type of lanes, its conversions, and what a caller needs to take lanes apart and together."""

from llvmlite import ir
from numba import types
from numba.core import errors
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, lower_cast, models, register_model

from numbaopt.backends.cache import fingerprint

ELEMENTS = types.float64, types.float32, types.boolean
BYTES = 64  # of one value: it fills the widest registers, and takes several of narrower ones


class Lanes(types.Type):
    """Several numbers, or several truth values (a mask), one for each lane.

    Parameters
    ----------
    dtype : numba type
        float64, float32, or boolean for a mask.
    width : int, optional
        The number of lanes, a power of two. By default, the numbers fill 64 bytes.

    Raises
    ------
    TypeError, ValueError
        For any other dtype or width.
    """

    def __init__(self, dtype, width=None):
        if dtype not in ELEMENTS:
            raise TypeError(f"Lanes are of float64, float32 or boolean, not of {dtype}.")
        width = BYTES * 8 // dtype.bitwidth if width is None else width
        if width < 2 or width & (width - 1):
            raise ValueError(f"The number of lanes is a power of two from 2 on, not {width}.")
        self.dtype, self.width = dtype, width
        self.made_by = fingerprint("backends")  # Numba's cached code for these types also depends on this package
        super().__init__(f"{type(self).__name__}({dtype}, {width})")

    @property
    def key(self):
        """What makes two such types equal."""
        return self.dtype, self.width, self.made_by

    @property
    def bitwidth(self):
        """The bits in one lane, so that Numba, which orders types by width, orders lanes like their numbers."""
        return self.dtype.bitwidth

    def of(self, dtype):
        """Return as many lanes of another dtype."""
        return Lanes(dtype, self.width)

    def cast_python_value(self, value):
        """Refuse: a constant in compiled code is one number."""
        raise errors.NumbaTypeError(f"{self} has no values in Python.")

    def unify(self, typingctx, other):
        """Return the lanes of what the numbers unify to, if there are such."""
        other = element(other, self.width)
        dtype = other and typingctx.unify_pairs(self.dtype, other)
        return self.of(dtype) if dtype in ELEMENTS else None

    def can_convert_to(self, typingctx, other):
        """Convert to as many lanes, as the numbers in them do, and never to one number."""
        return other.can_convert_from(typingctx, self) if isinstance(other, Lanes) else None

    def can_convert_from(self, typingctx, other):
        """Convert a number to lanes that all hold it."""
        found = element(other, self.width)
        rank = found and typingctx.can_convert(found, self.dtype)
        return rank if rank is None or isinstance(other, Lanes) else max(rank, Conversion.promote)


class Chosen(Lanes):
    """The result of ``np.where``, which for numbers would be a 0-d array with NumPy's operators."""


def element(kind, width):
    """Return the scalar type in lanes of this width, or of a number itself; None for what is neither."""
    if isinstance(kind, Lanes):
        return kind.dtype if kind.width == width else None
    return types.unliteral(kind) if isinstance(kind, types.Number | types.Boolean) else None


@register_model(Lanes)
@register_model(Chosen)
class LanesModel(models.PrimitiveModel):
    """A vector, packed in memory, so that its address need not be aligned."""

    def __init__(self, dmm, fe_type):
        vector = ir.VectorType(dmm.lookup(fe_type.dtype).get_value_type(), fe_type.width)
        super().__init__(dmm, fe_type, vector)

    def get_data_type(self):
        """Return the type in memory: as long as the vector."""
        return ir.LiteralStructType([self.get_value_type()], packed=True)

    def as_data(self, builder, value):
        """Wrap the vector."""
        return builder.insert_value(ir.Constant(self.get_data_type(), ir.Undefined), value, 0)

    def from_data(self, builder, value):
        """Unwrap the vector."""
        return builder.extract_value(value, 0)


@lower_cast(types.Number, Lanes)
@lower_cast(types.Boolean, Lanes)
def spread(context, builder, fromty, toty, value):
    """Put one number in every lane."""
    value = context.cast(builder, value, fromty, toty.dtype)
    first = ir.Constant(context.get_value_type(toty), ir.Undefined)
    first = builder.insert_element(first, value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, first, ir.VectorType(ir.IntType(32), toty.width)(0))


@lower_cast(Lanes, Lanes)
def convert(context, builder, fromty, toty, value):
    """Convert every lane."""
    if fromty.dtype == toty.dtype:
        return value
    target = context.get_value_type(toty)
    if fromty.dtype == types.boolean:
        return builder.uitofp(value, target)
    if toty.dtype == types.boolean:
        raise NotImplementedError(f"no mask from {fromty}: compare it with 0")
    return (builder.fpext if toty.bitwidth > fromty.bitwidth else builder.fptrunc)(value, target)


def widths(*kinds):
    """Return the width of the lanes among these types; None if there are no lanes or several widths."""
    found = {kind.width for kind in kinds if isinstance(kind, Lanes)}
    return found.pop() if len(found) == 1 else None


@intrinsic
def lane(typing, value, k):
    """Return the number in lane `k` of a value; `k` counts from 0 and is not checked."""
    if not isinstance(value, Lanes):
        return None

    def generate(context, builder, signature, args):
        return builder.extract_element(*args)

    return value.dtype(value, types.intp), generate


@intrinsic
def broadcast(typing, value, like):
    """Return a number, or lanes, as lanes of the type of `like`."""
    if not isinstance(like, Lanes) or typing.can_convert(value, like) is None:
        return None

    def generate(context, builder, signature, args):
        return args[0]

    return like(like, like), generate


@intrinsic
def select(typing, mask, a, b):
    """Return `a` in the lanes where the mask holds and `b` in the others."""
    width = widths(mask, a, b)
    dtype = element(typing.unify_types(a, b), width)
    if isinstance(dtype, types.Integer):
        dtype = types.float64  # there are no lanes of integers
    if not isinstance(mask, Lanes) or mask.dtype != types.boolean or width is None or dtype not in ELEMENTS:
        return None
    kind = mask.of(dtype)

    def generate(context, builder, signature, args):
        return builder.select(*args)

    return kind(mask, kind, kind), generate


def _bits(builder, mask):
    return builder.bitcast(mask, ir.IntType(mask.type.count))


def any_lane(builder, mask):
    """Emit the test whether a mask holds in any lane."""
    bits = _bits(builder, mask)
    return builder.icmp_unsigned("!=", bits, bits.type(0))


@intrinsic
def any_(typing, mask):
    """Return whether a mask holds in any lane."""
    if not isinstance(mask, Lanes) or mask.dtype != types.boolean:
        return None
    return types.boolean(mask), lambda context, builder, signature, args: any_lane(builder, args[0])


@intrinsic
def all_(typing, mask):
    """Return whether a mask holds in all lanes."""
    if not isinstance(mask, Lanes) or mask.dtype != types.boolean:
        return None

    def generate(context, builder, signature, args):
        bits = _bits(builder, args[0])
        return builder.icmp_unsigned("==", bits, bits.type(-1))

    return types.boolean(mask), generate
