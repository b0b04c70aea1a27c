"""Samples and serial bytes wait in bounded buffers."""

from array import array

from weldgate_firmware.meter import dc_hall_1000a
from weldgate_simulator.arc import Envelope, Phase, Stretch, Welder
from weldgate_simulator.contactor import PULL_IN_MS, Contactor
from weldgate_simulator.converter import Converter, SerialInput


def amperes(samples: "array[int]") -> list[int]:
    """Return samples as whole amperes of the Hall sensor, noise and ripple rounded off to 20 A."""
    return [round(((sample >> 4) - 2048) * 20 / 32 / 20) * 20 for sample in samples]


def make() -> tuple[Converter, Welder, Contactor]:
    """Return a converter on a machine that draws 400 A for ever."""
    welder = Welder(dc_hall_1000a(), seed=1)
    welder.play(Envelope([Stretch(0, Phase.ARC, 400_000)], 1 << 40), 0)
    contactor = Contactor()
    return Converter(welder, contactor), welder, contactor


def test_tick_brings_its_samples() -> None:
    """10 ms at 1600 Hz are 16 samples; none come twice."""
    converter, _, _ = make()
    buffer = array("H", bytes(128))

    converter.collect(10)
    first = converter.readinto(buffer)
    again = converter.readinto(buffer)

    assert (first, again, converter.lost) == (16, 0, 0)


def test_what_does_not_fit_waits() -> None:
    """A small buffer gets the oldest samples first, the rest later, and all together are those of one large read."""
    converter, _, _ = make()
    other, _, _ = make()
    small, large = array("H", bytes(14)), array("H", bytes(64))
    converter.collect(20)
    other.collect(20)

    pieces = array("H")
    while moved := converter.readinto(small):
        pieces += small[:moved]

    assert other.readinto(large) == 32
    assert pieces == large


def test_overrun_is_lost_and_counted() -> None:
    """What waits longer than 320 ms is lost: 512 samples are kept of the 640 of 400 ms."""
    converter, _, _ = make()

    converter.collect(400)

    assert converter.readinto(array("H", bytes(2000))) == 512
    assert converter.lost == 128


def test_current_begins_when_the_contact_closes() -> None:
    """Samples made late show the contact's movement at its own time."""
    converter, _, contactor = make()
    contactor.command(True, 0)
    buffer = array("H", bytes(128))

    converter.collect(40)
    moved = converter.readinto(buffer)

    edge = PULL_IN_MS * 1600 // 1000
    assert moved == 64
    assert amperes(buffer[:edge]) == [0] * edge
    assert min(amperes(buffer[edge:])) >= 380


def test_start_forgets_what_waited() -> None:
    """A restart begins with an empty buffer at its own time."""
    converter, _, _ = make()
    converter.collect(100)

    converter.start(250)
    converter.collect(260)

    assert converter.readinto(array("H", bytes(2000))) == 16


def test_serial_bytes_come_in_order_and_overflow_is_counted() -> None:
    """512 bytes wait, the 513th is lost."""
    port = SerialInput()
    buffer = bytearray(500)

    port.put(bytes(300) + b"A" * 213)
    first = port.readinto(buffer)
    rest = port.readinto(buffer)

    assert (first, rest, port.lost) == (500, 12, 1)
    assert buffer[:12] == b"A" * 12


def test_cleared_port_is_empty() -> None:
    """A reset loses what waited."""
    port = SerialInput()
    port.put(b"WG1:")

    port.clear()

    assert port.readinto(bytearray(4)) == 0
