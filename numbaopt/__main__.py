"""``python -m numbaopt``: print information about the installation, or compile in advance."""

import argparse
import sys

import numbaopt
from numbaopt.tools.warmup import COMMON, warmup


def main(arguments=None):
    """Run a command line, by default that of the process; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m numbaopt", description="First-order optimizers compiled by Numba.")
    parser.add_argument("--version", action="version", version=f"numbaopt {numbaopt.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser(
        "info",
        help="print versions, threads, cache and CUDA, for a bug report; exit status 1 if something is wrong",
    )
    warm = commands.add_parser(
        "warmup", help="compile in advance what minimize, minimize_many and Optimizer need, and cache it on disk"
    )
    methods = f"names, or all; {' '.join(COMMON)} by default"
    warm.add_argument("--methods", nargs="+", default=list(COMMON), metavar="NAME", help=methods)
    warm.add_argument("--dtypes", nargs="+", default=["float64"], metavar="DTYPE", help="float64 (default), float32")
    warm.add_argument(
        "--large", action="store_true", help="also compile for arrays so large that several threads update them"
    )
    warm.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="the number of processes that compile (default 1)"
    )
    arguments = parser.parse_args(arguments)
    if arguments.command == "info":
        from numbaopt.tools.info import text

        report, faults = text()
        print(report)
        return int(faults > 0)
    if arguments.command == "warmup":
        return _warm(arguments)
    parser.print_help()
    return 0


def _warm(arguments):
    methods = "all" if arguments.methods == ["all"] else arguments.methods

    def progress(done, total, what, seconds):
        print(f"[{done}/{total}] {what}: {seconds:.1f} s", flush=True)

    try:
        compiled = warmup(methods, arguments.dtypes, large=arguments.large, jobs=arguments.jobs, progress=progress)
    except (TypeError, ValueError, OSError) as error:
        print(f"python -m numbaopt warmup: {error}", file=sys.stderr)
        return 2
    print(f"{compiled} kernels compiled." if compiled else "Everything was in the cache: nothing had to be compiled.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
