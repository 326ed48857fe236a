"""Norm, SiLU and a 3×3 convolution with 2.25 times fewer multiplications, on processors.

Where a 3×3 convolution gives 2×2 neighbouring outputs, it takes 36 products a channel; Winograd's F(2×2, 3×3) takes 16:
Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A, with d the 4×4 inputs that they see and g the kernel. Summed over channels, these are 16
matrix products, which PyTorch does. What comes before (norm, SiLU, Bᵀ d B) and after (AᵀMA, bias, residual) would
go through memory many times as PyTorch's operations; here each is one pass, compiled by LLVM for the processor at hand
when it is first needed. That takes a fraction of a second, and no compiler on the computer.

Each pass is cut into shares of rows, which PyTorch's own threads take one after the other. No sum crosses rows before
all are done, so the bits do not depend on how many threads there are.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import torch
from llvmlite import ir

from flair_core.denoisers.fast_cpu import LANES
from flair_core.runtime import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

G = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64)
EXP2 = (1.0, 0.693147182, 0.240226462, 0.0555051267, 0.00966823567, 0.00134081310)
"""2^f = Σ EXP2[i] f^i for |f| ≤ 1/2, to 3·10⁻⁶."""
GROUPS, EPS = 8, 1e-5
"""Of the group norms."""
STRIP = 1 << 20
"""Numbers in V for which rows of tiles are done together: large frames take no more memory than small ones."""
SHARED = 1 << 16
"""Numbers in x from which passes are shared: below, waking a thread takes longer."""

I16, I32, I64, F32, POINTER = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.PointerType()
SHORTS, INTS, FLOATS = (ir.VectorType(kind, LANES) for kind in (I16, I32, F32))


class _BFloat(ir.Type):  # type: ignore[misc]
    """A type that LLVM knows and llvmlite does not."""

    def _to_string(self) -> str:
        return "bfloat"


BFLOATS = ir.VectorType(_BFloat(), LANES)


class _Code:
    """Writes one function of pointers and whole numbers, which it finds in a row of 64 bits each.

    After them come the number of shares that the work is cut into, and of those begun: see `shares`.
    """

    def __init__(self, module: ir.Module, name: str, pointers: int, numbers: int) -> None:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), name)
        self.b = ir.IRBuilder(function.append_basic_block())
        self._arguments, self._count = function.args[0], pointers + numbers
        values = [
            self.b.load(self.at(self._arguments, I64, place), typ=I64) for place in range(self._count + 1)
        ]
        self.pointers = [self.b.inttoptr(value, POINTER) for value in values[:pointers]]
        self.numbers, self.parts = values[pointers:-1], values[-1]

    @contextmanager
    def shares(self, start: Any, stop: Any) -> Iterator[tuple[ir.Value, ir.Value, ir.Value]]:
        """What is written inside runs for shares of a range that no other thread has: number, first and last."""
        b, begun = self.b, self.at(self._arguments, I64, self._count + 1)
        head, body, after = (b.append_basic_block() for _ in range(3))
        size = b.sub(_number(stop), _number(start))
        b.branch(head)
        b.position_at_end(head)
        share = b.atomic_rmw("add", begun, I64(1), "monotonic")
        b.cbranch(b.icmp_signed("<", share, self.parts), body, after)
        b.position_at_end(body)
        first, last = (
            b.add(_number(start), b.sdiv(b.mul(size, number), self.parts))
            for number in (share, b.add(share, I64(1)))
        )
        yield share, first, last
        b.branch(head)
        b.position_at_end(after)

    @contextmanager
    def each(self, start: Any, stop: Any, step: int = 1) -> Iterator[ir.Value]:
        """What is written inside runs for every number of a range."""
        b, before = self.b, self.b.block
        head, body, after = (b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(I64)
        index.add_incoming(_number(start), before)
        b.cbranch(b.icmp_signed("<", index, _number(stop)), body, after)
        b.position_at_end(body)
        yield index
        index.add_incoming(b.add(index, I64(step)), b.block)
        b.branch(head)
        b.position_at_end(after)

    def variable(self, kind: ir.Type) -> ir.Value:
        """Room for a value that loops change, made where the function begins."""
        with self.b.goto_entry_block():
            return self.b.alloca(kind)

    def at(self, pointer: ir.Value, element: ir.Type, index: Any) -> ir.Value:
        """The address of an element."""
        return self.b.gep(pointer, [_number(index)], source_etype=element)

    def floats(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        """LANES numbers in single precision."""
        return self.b.load(self.at(pointer, F32, index), typ=FLOATS, align=4)

    def put(self, values: ir.Value, pointer: ir.Value, index: ir.Value) -> None:
        """Store LANES numbers in single precision."""
        self.b.store(values, self.at(pointer, F32, index), align=4)

    def halves(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        """LANES numbers kept in bf16, in single precision."""
        short = self.b.load(self.at(pointer, I16, index), typ=SHORTS, align=2)
        return self.b.bitcast(self.b.shl(self.b.zext(short, INTS), _all(INTS, 16)), FLOATS)

    def put_halves(self, values: ir.Value, pointer: ir.Value, index: ir.Value) -> None:
        """Store LANES numbers in bf16."""
        short = self.b.bitcast(self.b.fptrunc(values, BFLOATS), SHORTS)
        self.b.store(short, self.at(pointer, I16, index), align=2)

    def call(self, name: str, *values: ir.Value) -> ir.Value:
        """One of LLVM's own functions, of values of one type."""
        kind, module = values[0].type, self.b.module
        full = f"llvm.{name}.{'f32' if kind == F32 else f'v{LANES}f32'}"
        declared = module.globals.get(full) or ir.Function(
            module, ir.FunctionType(kind, [kind] * len(values)), full
        )
        return self.b.call(declared, values)

    def fma(self, a: ir.Value, x: ir.Value, b: ir.Value) -> ir.Value:
        """A x + b, rounded once."""
        return self.call("fma", a, x, b)

    def silu(self, x: ir.Value) -> ir.Value:
        """x / (1 + e⁻ˣ)."""
        b = self.b
        power = b.fmul(x, _all(FLOATS, -1.44269504))
        for name, limit in (("minnum", 126.0), ("maxnum", -126.0)):
            power = self.call(name, power, _all(FLOATS, limit))
        whole = self.call("rint", power)
        rest, value = b.fsub(power, whole), _all(FLOATS, EXP2[-1])
        for factor in EXP2[-2::-1]:
            value = self.fma(value, rest, _all(FLOATS, factor))
        shift = b.shl(b.fptosi(whole, INTS), _all(INTS, 23))
        exp = b.bitcast(b.add(b.bitcast(value, INTS), shift), FLOATS)
        return b.fdiv(x, b.fadd(exp, _all(FLOATS, 1.0)))


def _number(value: Any) -> ir.Value:
    return value if isinstance(value, ir.Value) else I64(value)


def _all(kind: ir.VectorType, value: float) -> ir.Constant:
    return ir.Constant(kind, [value] * LANES)


def _write_sums(module: ir.Module) -> None:
    """sums(x, sums; H, W, C): Σ x and Σ x² over each row of x, (H, 2, C)."""
    code = _Code(module, "sums", 2, 3)
    b, (x, sums), (height, width, channels) = code.b, code.pointers, code.numbers
    total, square = code.variable(FLOATS), code.variable(FLOATS)
    with (
        code.shares(0, height) as (_, begin, end),
        code.each(begin, end) as row,
        code.each(0, channels, LANES) as c,
    ):
        for variable in (total, square):
            b.store(_all(FLOATS, 0.0), variable)
        first = b.mul(row, width)
        with code.each(first, b.add(first, width)) as at:
            value = code.halves(x, b.add(b.mul(at, channels), c))
            b.store(b.fadd(b.load(total, typ=FLOATS), value), total)
            b.store(code.fma(value, value, b.load(square, typ=FLOATS)), square)
        place = b.add(b.mul(b.mul(row, I64(2)), channels), c)
        for variable, at in ((total, place), (square, b.add(place, channels))):
            code.put(b.load(variable, typ=FLOATS), sums, at)
    b.ret_void()


def _write_affine(module: ir.Module) -> None:
    """affine(sums, weight, bias, a, b; H, W, C): from sums over rows, the group norm of x as a x + b for each channel.

    The first row of `sums` becomes that of all rows.
    """
    code = _Code(module, "affine", 5, 3)
    b, (sums, weight, bias, scale, shift), (height, width, channels) = code.b, code.pointers, code.numbers
    line = b.mul(channels, I64(2))
    with code.each(1, height) as row, code.each(0, line, LANES) as c:
        value = code.floats(sums, b.add(b.mul(row, line), c))
        code.put(b.fadd(code.floats(sums, c), value), sums, c)
    size = b.sdiv(channels, I64(GROUPS))
    count = b.sitofp(b.mul(b.mul(height, width), size), F32)
    mean, power = code.variable(F32), code.variable(F32)
    with code.each(0, GROUPS) as group:
        first = b.mul(group, size)
        for variable in (mean, power):
            b.store(F32(0.0), variable)
        with code.each(first, b.add(first, size)) as c:
            for variable, place in ((mean, c), (power, b.add(c, channels))):
                value = b.load(code.at(sums, F32, place), typ=F32)
                b.store(b.fadd(b.load(variable, typ=F32), value), variable)
        middle = b.fdiv(b.load(mean, typ=F32), count)
        spread = b.fsub(b.fdiv(b.load(power, typ=F32), count), b.fmul(middle, middle))
        inverse = b.fdiv(F32(1.0), code.call("sqrt", b.fadd(spread, F32(EPS))))
        with code.each(first, b.add(first, size)) as c:
            a = b.fmul(inverse, b.load(code.at(weight, F32, c), typ=F32))
            b.store(a, code.at(scale, F32, c))
            b.store(b.fsub(b.load(code.at(bias, F32, c), typ=F32), b.fmul(middle, a)), code.at(shift, F32, c))
    b.ret_void()


def _write_spread(module: ir.Module) -> None:
    """spread(x, a, b, V, rows; H, W, C, first, last): V = Bᵀ d B of silu(a x + b), zero beyond the border.

    x: (H, W, C).  V: (16, tiles, C), those of the rows of tiles [first, last).
    rows: room for four rows of W + 3 pixels in single precision for each share.
    """
    code = _Code(module, "spread", 5, 5)
    b, (x, scale, shift, V, rows) = code.b, code.pointers
    height, width, channels, begin, end = code.numbers
    across = b.sdiv(b.add(width, I64(1)), I64(2))
    line = b.mul(b.add(width, I64(3)), channels)
    plane = b.mul(b.mul(across, b.sub(end, begin)), channels)

    def slot(own: ir.Value, row: ir.Value) -> ir.Value:
        return b.add(own, b.mul(b.and_(b.add(row, I64(1)), I64(3)), line))

    with code.shares(begin, end) as (share, from_row, to_row):
        own = b.mul(share, b.mul(line, I64(4)))
        with code.each(own, b.add(own, b.mul(line, I64(4))), LANES) as at:
            code.put(_all(FLOATS, 0.0), rows, at)
        with code.each(from_row, to_row) as tile_row:
            top = b.sub(b.mul(tile_row, I64(2)), I64(1))
            new = b.select(b.icmp_signed("==", tile_row, from_row), top, b.add(top, I64(2)))
            with code.each(new, b.add(top, I64(4))) as row:
                inside = b.and_(b.icmp_signed(">=", row, I64(0)), b.icmp_signed("<", row, height))
                base = slot(own, row)
                with b.if_else(inside) as (here, beyond):
                    with here, code.each(0, channels, LANES) as c:
                        factor, offset = code.floats(scale, c), code.floats(shift, c)
                        with code.each(0, width) as at:
                            value = code.halves(x, b.add(b.mul(b.add(b.mul(row, width), at), channels), c))
                            place = b.add(b.add(base, b.mul(b.add(at, I64(1)), channels)), c)
                            code.put(code.silu(code.fma(factor, value, offset)), rows, place)
                    with beyond, code.each(channels, b.mul(b.add(width, I64(1)), channels), LANES) as at:
                        code.put(_all(FLOATS, 0.0), rows, b.add(base, at))
            lines = [slot(own, b.add(top, I64(step))) for step in range(4)]
            with code.each(0, across) as tile, code.each(0, channels, LANES) as c:
                first = b.add(b.mul(b.mul(tile, I64(2)), channels), c)
                columns = [b.add(first, b.mul(I64(step), channels)) for step in range(4)]
                d = [[code.floats(rows, b.add(line, column)) for column in columns] for line in lines]
                place = b.add(b.mul(b.add(b.mul(b.sub(tile_row, begin), across), tile), channels), c)
                d = [
                    list(row)
                    for row in zip(*(_input(b, column) for column in zip(*d, strict=True)), strict=True)
                ]
                for value in (value for row in d for value in _input(b, row)):
                    code.put_halves(value, V, place)
                    place = b.add(place, plane)
    b.ret_void()


def _input(b: ir.IRBuilder, d: Sequence[ir.Value]) -> list[ir.Value]:
    """Bᵀ d."""
    return [b.fsub(d[0], d[2]), b.fadd(d[1], d[2]), b.fsub(d[2], d[1]), b.fsub(d[1], d[3])]


def _output(b: ir.IRBuilder, m: Sequence[ir.Value]) -> list[ir.Value]:
    """Aᵀ m."""
    return [b.fadd(b.fadd(m[0], m[1]), m[2]), b.fsub(b.fsub(m[1], m[2]), m[3])]


def _write_gather(module: ir.Module, *, added: bool) -> None:
    """gather(M, bias, x, y; H, W, C, first, last): y = AᵀMA + bias (+ x).

    M: (16, tiles, C), those of the rows of tiles [first, last).  x, y: (H, W, C).
    """
    code = _Code(module, "gather_added" if added else "gather", 4, 5)
    b, (M, bias, x, y) = code.b, code.pointers
    height, width, channels, begin, end = code.numbers
    across = b.sdiv(b.add(width, I64(1)), I64(2))
    plane = b.mul(b.mul(across, b.sub(end, begin)), channels)
    with (
        code.shares(begin, end) as (_, from_row, to_row),
        code.each(from_row, to_row) as tile_row,
        code.each(0, across) as tile,
        code.each(0, channels, LANES) as c,
    ):
        place = b.add(b.mul(b.add(b.mul(b.sub(tile_row, begin), across), tile), channels), c)
        values = []
        for _ in range(16):
            values.append(code.halves(M, place))
            place = b.add(place, plane)
        half = list(zip(*(_output(b, values[at::4]) for at in range(4)), strict=True))
        offset = code.floats(bias, c)
        for down_by, line in enumerate(half):
            for across_by, value in enumerate(_output(b, line)):
                row, column = (
                    b.add(b.mul(index, I64(2)), I64(by))
                    for index, by in ((tile_row, down_by), (tile, across_by))
                )
                inside = b.and_(b.icmp_signed("<", row, height), b.icmp_signed("<", column, width))
                with b.if_then(inside, likely=True):
                    at = b.add(b.mul(b.add(b.mul(row, width), column), channels), c)
                    result = b.fadd(value, offset)
                    if added:
                        result = b.fadd(result, code.halves(x, at))
                    code.put_halves(result, y, at)
    b.ret_void()


class _Passes:
    """The compiled functions; calling them lets other Python threads run."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        module = ir.Module("winograd")
        module.triple = llvm.get_process_triple()
        _write_sums(module)
        _write_affine(module)
        _write_spread(module)
        for added in (False, True):
            _write_gather(module, added=added)
        compiled = llvm.parse_assembly(str(module))
        compiled.verify()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
        )
        builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
        builder.getModulePassManager().run(compiled, builder)
        self._engine = llvm.create_mcjit_compiler(compiled, machine)
        self._engine.finalize_object()

        names = ("sums", "affine", "spread", "gather", "gather_added")
        self._functions = {name: _PASS(self._engine.get_function_address(name)) for name in names}
        self._team = _team()

    def run(self, name: str, *values: int, places: int = 1) -> None:
        """One pass over its pointers and numbers, by so many threads."""
        function, arguments = self._functions[name], (ctypes.c_int64 * (len(values) + 2))(*values, places, 0)
        if places == 1 or self._team is None:
            function(arguments)
        else:
            self._team(function, arguments, places, 0)


_PASS = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _team() -> Any:
    """What starts a function in PyTorch's own threads, where they are OpenMP's; elsewhere passes have one thread."""
    try:
        start = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, TypeError):
        return None
    start.argtypes, start.restype = (_PASS, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint), None
    return start


_passes = cache(_Passes)


class _Room:
    """Memory for features of one size, used again and again: to get it anew costs as much as a convolution."""

    def __init__(self, channels: int, height: int, width: int, dtype: torch.dtype, places: int) -> None:
        down, across = (height + 1) // 2, (width + 1) // 2
        most = min(down, max(1, STRIP // (16 * across * channels)))
        V, M = (torch.empty(16 * most * across * channels, dtype=dtype) for _ in range(2))
        rows = torch.empty(places * 4 * (width + 3) * channels)
        sums = torch.empty(2 * (height + 1) * channels)
        self.strips: list[tuple[int, int, Tensor, Tensor]] = []
        """First and last row of tiles, and their V and M, (16, tiles, C)."""
        for first in range(0, down, most):
            last = min(first + most, down)
            v, m = (one[: 16 * (last - first) * across * channels].view(16, -1, channels) for one in (V, M))
            self.strips.append((first, last, v, m))
        self.V, self.M, self.rows, self.sums = (one.data_ptr() for one in (V, M, rows, sums))
        self.scale, self.shift = (sums[at * channels :].data_ptr() for at in (2 * height, 2 * height + 1))
        self._kept = rows, sums


class _Rooms:
    """Those of each thread.

    No `threading.local`: when a thread of Qt ends, what that holds goes after the thread's Python state, and PyTorch
    then frees memory that is no longer its own.
    """

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[threading.Thread, Callable[..., _Room]]
        self._of = weakref.WeakKeyDictionary()

    def get(self, channels: int, height: int, width: int, dtype: torch.dtype, places: int) -> _Room:
        """For features of this size, in the current thread and those that help it; the last few sizes are kept."""
        thread = threading.current_thread()
        if (mine := self._of.get(thread)) is None:
            mine = self._of[thread] = lru_cache(maxsize=8)(_Room)
        return mine(channels, height, width, dtype, places)


_rooms = _Rooms()


class NormedConvolution:
    """conv(silu(norm(x))) for a 3×3 convolution that keeps size and channels."""

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        """weight: (C, C, 3, 3) and bias: (C,), as `nn.Conv2d` has them."""
        U = torch.einsum("ai,okij,bj->abko", G, weight.detach().double(), G)
        self._U = U.reshape(16, *U.shape[2:]).to(dtype).contiguous()
        self._bias = bias.detach().float().contiguous()
        self.dtype = dtype
        _passes()  # compiled while models load, not in the first step

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None = None) -> Tensor:
        """x: (N, C, h, w).  weight, bias: those of the norm, C in single precision.  added: shaped like x."""
        x = x.contiguous(memory_format=torch.channels_last)
        out = torch.empty_like(x)
        for at in range(len(x)):
            self._frame(x[at], weight, bias, None if added is None else added[at], out[at])
        return out

    def _frame(self, x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None, out: Tensor) -> None:
        (channels, height, width), size = x.shape, (*x.shape[1:], x.shape[0])
        with threads.wide():
            places = torch.get_num_threads()
            room = _rooms.get(channels, height, width, self.dtype, places)
            run = partial(_passes().run, places=places if x.numel() >= SHARED else 1)
            seen, made, offset = x.data_ptr(), out.data_ptr(), self._bias.data_ptr()
            run("sums", seen, room.sums, *size)
            affine = room.sums, weight.data_ptr(), bias.data_ptr(), room.scale, room.shift
            _passes().run("affine", *affine, *size)
            for first, last, V, M in room.strips:
                strip = *size, first, last
                run("spread", seen, room.scale, room.shift, room.V, room.rows, *strip)
                torch.bmm(V, self._U, out=M)
                if added is None:
                    run("gather", room.M, offset, 0, made, *strip)
                else:
                    run("gather_added", room.M, offset, added.data_ptr(), made, *strip)
