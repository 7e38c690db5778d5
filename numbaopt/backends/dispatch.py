"""The array chooses the backend: what differs between the CPU and a CUDA device is asked for here."""

from numbaopt.lowering import emit_cpu, emit_cuda

BACKENDS = {"cpu": emit_cpu, "cuda": emit_cuda}


def on_device(array):
    """Tell whether an array lies on a CUDA device."""
    return hasattr(array, "__cuda_array_interface__")


def cuda():
    """Return the module that steps device arrays; it is imported only where there is one."""
    from numbaopt.backends import cuda

    return cuda


def source(backend, name, program):
    """Return the text that a rule is lowered to for a backend, "cpu" or "cuda"."""
    if backend not in BACKENDS:
        raise ValueError(f"backend is 'cpu' or 'cuda', not {backend!r}")
    return BACKENDS[backend].emit(name, program)


def assign(array, values):
    """Write values, or one value everywhere, into an array."""
    if on_device(array):
        cuda().assign(array, values)
    else:
        array[:] = values


def copy(source, target):
    """Copy an array, on the host or on a device, into another one of the same size there."""
    if on_device(target):
        module = cuda()
        module.flat(target, sync=False).copy_to_device(module.flat(source, "g", sync=False))
    else:
        target[:] = source
