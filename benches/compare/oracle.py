"""The bills of a small town by the plainest means: Python's own integers and Fractions, one meter after another.

Nothing of the arithmetic comes from `town.py`: only its tables do, so that an error in one of the two shows.
"""

import datetime
from fractions import Fraction

from town import CLASSES, FIRST_DAY, TARIFFS, VAT_PERCENT, Totals

MASK = (1 << 64) - 1


def scramble(x: int) -> int:
    """splitmix64's finaliser over an integer of 64 bits."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def half_hours(days: int) -> list[datetime.datetime]:
    """The start of every half-hour."""
    first = datetime.datetime.combine(FIRST_DAY, datetime.time())
    return [first + datetime.timedelta(minutes=30 * index) for index in range(days * 48)]


def readings_wh(meter: int, days: int) -> list[int]:
    """One meter's readings in Wh."""
    percentile = scramble(meter ^ 0xA5A5A5A5) % 100
    size = scramble(meter ^ 0x11111111)
    if percentile < 90:
        kind, scale = 0, 60 + size % 240
    elif percentile < 99:
        kind, scale = 1, 1_000 + size % 6_000
    else:
        kind, scale = 2, 20_000 + size % 180_000
    readings = []
    for index, start in enumerate(half_hours(days)):
        luck = scramble((meter * 1_000_003 + index) & MASK)
        shape = CLASSES[kind][start.isoweekday() > 5][start.hour]
        wh = scale * shape // 1_000 * (500 + luck % 1_001) // 1_000
        if kind == 0 and (luck >> 32) % 50 < 3:
            wh += 500 + (luck >> 40) % 1_500
        readings.append(wh)
    return readings


def zone(start: datetime.datetime) -> int:
    """0 peak, 1 between, 2 night."""
    if start.hour in (23, 0, 1, 2, 3, 4, 5, 6):
        return 2
    return 0 if start.isoweekday() <= 5 and start.hour in (7, 8, 9, 17, 18, 19, 20) else 1


def bill_kop(meter: int, readings: list[int], zones: list[int], days: int) -> int:
    """One meter's bill: every line rounded half-even to a kopeck, then the tax on their sum."""
    tariff = TARIFFS[meter % 5]
    by_zone = [sum(wh for wh, at in zip(readings, zones) if at == which) for which in range(3)]
    energy = sum(by_zone)
    peak_max = max((wh for wh, at in zip(readings, zones) if at == 0), default=0)
    first, second, third = {
        1: (energy, 0, 0),
        2: (by_zone[0] + by_zone[1], by_zone[2], 0),
        3: tuple(by_zone),
    }[tariff.zones]
    # Wh or W times 1e-5 rouble is 1e-8 rouble or 1e-6 kopeck.
    lines = [
        Fraction(first * tariff.price_1, 10**6),
        Fraction(second * tariff.price_2, 10**6),
        Fraction(third * tariff.price_3, 10**6),
        Fraction(max(0, min(energy, tariff.tier_2_wh) - tariff.tier_1_wh) * tariff.adder_1, 10**6),
        Fraction(max(0, energy - tariff.tier_2_wh) * tariff.adder_2, 10**6),
        Fraction(2 * peak_max * tariff.demand, 10**6),
        Fraction(days * tariff.day, 10**3),
    ]
    # Python rounds a Fraction half to even.
    subtotal = sum(round(line) for line in lines)
    return subtotal + round(Fraction(subtotal * VAT_PERCENT, 100))


def totals(meters: int, days: int) -> Totals:
    """The totals of the town's first `meters` meters."""
    zones = [zone(start) for start in half_hours(days)]
    energy_wh = total_kop = checksum = 0
    for meter in range(meters):
        readings = readings_wh(meter, days)
        bill = bill_kop(meter, readings, zones, days)
        energy_wh += sum(readings)
        total_kop += bill
        checksum += (meter % 1_009 + 1) * bill
    return Totals(energy_wh, total_kop, checksum)
