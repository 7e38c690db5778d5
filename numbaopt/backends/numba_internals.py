"""Everything in Numba that numbaopt uses although Numba's documentation does not promise it.

A new version of Numba may rename any of it. `missing` returns what the installed version lacks. A test checks that the
list is complete: ``python -m tests.backends.test_numba_internals`` prints a new one.
"""

import importlib

# Names that are imported, or read from imported modules; and the modules that use them.
NAMES = {
    "numba.core.caching.CompileResultCacheImpl": "backends.cache",
    "numba.core.caching.FunctionCache": "backends.cache, backends.cpu",
    "numba.core.caching.IndexDataCacheFile": "backends.cache_files",
    "numba.core.cgutils.get_null_value": "backends.pointers",
    "numba.core.cgutils.get_or_insert_function": "backends.pointers",
    "numba.core.cgutils.raw_memcpy": "backends.pointers",
    "numba.core.cgutils.unpack_tuple": "backends.simd.arrays",
    "numba.core.cgutils.voidptr_t": "backends.pointers",
    "numba.core.compiler_lock.global_compiler_lock": "common.locking",
    "numba.core.dispatcher.Dispatcher": "drivers.digest",
    "numba.core.errors.NumbaError": "backends.cpu, backends.lane_errors, objectives.compiled",
    "numba.core.errors.NumbaTypeError": "backends.simd.kinds",
    "numba.core.errors.TypingError": "backends.simd.arrays, embedded.codegen, embedded.method, embedded.objective, embedded.typing",
    "numba.core.errors.UnsupportedError": "backends.simd.arithmetic, backends.simd.arrays",
    "numba.core.event.Listener": "tools.warmup",
    "numba.core.event.install_listener": "tools.warmup",
    "numba.core.imputils.lower_constant": "embedded.typing",
    "numba.core.registry.cpu_target": "backends.cache, objectives.compiled_estimates",
    "numba.core.typeconv.Conversion": "backends.simd.kinds",
    "numba.core.types.Type": "drivers.digest",
    "numba.core.typing.templates.AbstractTemplate": "backends.simd.arithmetic, embedded.typing",
    "numba.core.typing.templates.AttributeTemplate": "backends.simd.arrays",
    "numba.core.typing.templates.infer_getattr": "backends.simd.arrays",
    "numba.core.typing.templates.infer_global": "backends.simd.arithmetic, embedded.typing",
    "numba.cpython.numbers.int_and_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.int_or_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.int_xor_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_add_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_eq_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_ge_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_gt_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_le_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_lt_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_mul_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_ne_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_negate_impl": "backends.simd.arithmetic",
    "numba.cpython.numbers.real_sub_impl": "backends.simd.arithmetic",
    "numba.np.arrayobj.intrin_alloc": "backends.simd.arrays",
    "numba.np.arrayobj.make_array": "backends.pointers, backends.simd.arrays",
    "numba.np.arrayobj.populate_array": "backends.pointers",
    "numba.np.npyfuncs.np_real_fmax_impl": "backends.simd.arithmetic",
    "numba.np.npyfuncs.np_real_fmin_impl": "backends.simd.arithmetic",
    "numba.np.npyfuncs.np_real_isfinite_impl": "backends.simd.arithmetic",
    "numba.np.npyfuncs.np_real_isinf_impl": "backends.simd.arithmetic",
    "numba.np.npyfuncs.np_real_isnan_impl": "backends.simd.arithmetic",
    "numba.np.npyfuncs.np_real_maximum_impl": "backends.simd.arithmetic",
    "numba.np.npyfuncs.np_real_minimum_impl": "backends.simd.arithmetic",
    "numba.np.npyfuncs.np_real_square_impl": "backends.simd.arithmetic",
    "numba.np.ufunc.parallel._launch_threads": "backends.cpu",
}

# Attributes and methods that are read, called or overridden in instances and subclasses.
ATTRIBUTES = {
    "numba.core.caching.Cache._index_key": "backends.cache, drivers.specialize",
    "numba.core.caching.Cache.cache_path": "tools.info",
    "numba.core.caching.Cache.load_overload": "backends.cache, drivers.specialize",
    "numba.core.caching.Cache.save_overload": "backends.cache, drivers.specialize",
    "numba.core.caching.CompileResultCacheImpl._locator_classes": "backends.cache",
    "numba.core.caching.CompileResultCacheImpl.filename_base": "backends.cache",
    "numba.core.caching.CompileResultCacheImpl.locator": "backends.cache",
    "numba.core.caching.FunctionCache._impl_class": "backends.cache",
    "numba.core.caching.IndexDataCacheFile._data_path": "backends.cache_files",
    "numba.core.caching.IndexDataCacheFile._dump": "backends.cache_files",
    "numba.core.caching.IndexDataCacheFile._load_data": "backends.cache_files",
    "numba.core.caching.IndexDataCacheFile._open_for_write": "backends.cache_files",
    "numba.core.caching.IndexDataCacheFile._save_data": "backends.cache_files",
    "numba.core.dispatcher.Dispatcher.compile": "backends.cpu",
    "numba.core.dispatcher.Dispatcher.disable_compile": "backends.cpu",
    "numba.core.dispatcher.Dispatcher.inspect_llvm": "drivers.specialize",
    "numba.core.dispatcher.Dispatcher.signatures": "backends.cpu",
    "numba.core.registry.cpu_target.target_context.refresh": "backends.cache",
    "numba.core.registry.cpu_target.typing_context.refresh": "backends.cache",
}


def missing():
    """Return what the installed version of Numba lacks, each entry with the modules that use it.

    Returns
    -------
    list of str
    """
    return [f"{name}, used by {users}" for name, users in (NAMES | ATTRIBUTES).items() if not _exists(name)]


def _exists(name):
    """Return whether a dotted name leads to something: a module, or an attribute below one."""
    found, parts = importlib.import_module("numba"), name.split(".")
    for k, part in enumerate(parts[1:], 2):
        if not hasattr(found, part):
            try:
                importlib.import_module(".".join(parts[:k]))
            except ImportError:
                return False
        found = getattr(found, part)
    return True
