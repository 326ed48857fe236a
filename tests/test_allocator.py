"""Memory of one layer is used again for the next, and goes back to the system in the end."""

import subprocess
import sys

import pytest

from flair_core.runtime import memory

MEGABYTE = 2**20
ROUNDS = """
import ctypes, resource, threading
import psutil
from flair_core.runtime import memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, (ctypes.c_size_t,), (ctypes.c_void_p,)
memory.keep()
def layer():
    buffers = [libc.malloc(64 * 2**20) for _ in range(4)]
    for buffer in buffers: ctypes.memset(buffer, 1, 64 * 2**20)
    for buffer in buffers: libc.free(buffer)
def layers():
    layer()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4): layer()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
thread = threading.Thread(target=layers); thread.start(); thread.join()
print(psutil.Process().memory_info().rss)
memory.give_back()
print(psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(not memory.glibc(), reason="only glibc is told how to keep memory")
def test_layers_use_the_memory_of_those_before_and_it_is_given_back():
    done = subprocess.run([sys.executable, "-c", ROUNDS], check=True, capture_output=True, text=True)
    faults, kept, left = map(int, done.stdout.split())
    assert (
        faults < 64 * 4 * MEGABYTE // 4096 // 10
    )  # in a thread, too; one round alone touches ten times as many
    assert kept - left > 200 * MEGABYTE
