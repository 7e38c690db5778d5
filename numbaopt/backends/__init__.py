"""Where steps run: the CPU and CUDA behind one protocol, and how their code is compiled and cached."""
