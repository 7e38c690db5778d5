"""Where steps run: the CPU and CUDA, behind one face; the only package that knows Numba's internals."""
