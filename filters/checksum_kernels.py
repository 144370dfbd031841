# mypy: allow-untyped-defs
"""Checks that tell numbers of people and accounts from other numbers.

Each takes ``signs``, uint8 [at least n]: the letters (upper case) and digits of the number in ASCII, without what
separates them. ``passes`` chooses by the check's number, which is data of a pattern (``filters.personal_patterns``).
"""

from __future__ import annotations

import numpy as np
from numba import njit

(
    NONE, LUHN, DIGITS_9_TO_15, DIGITS_10_TO_11, SSN, CHINESE_ID, NINO, DNI, CODICE_FISCALE, NIR, PESEL, PERSONNUMMER,
    HETU, EAN, CPF, VERHOEFF, KOREAN_ID, TAIWANESE_ID, SINGAPOREAN_ID, HONG_KONG_ID, IBAN, IPV4, IPV6,
) = range(23)  # fmt: skip

_ZERO = 48
_A = 65
DNI_LETTERS = np.frombuffer(b"TRWAGMYFPDXBNJZSQVHLCKE", np.uint8)
HETU_SIGNS = np.frombuffer(b"0123456789ABCDEFHJKLMNPRSTUVWXY", np.uint8)
CHINESE_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], np.int64)
CHINESE_SIGNS = np.frombuffer(b"10X98765432", np.uint8)
# The first two digits: provinces, regions and cities (GB/T 2260); 81 to 83 are residence permits of GB 11643's form.
CHINESE_REGIONS = np.array(
    [11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62,
     63, 64, 65, 71, 81, 82, 83], np.int64
)  # fmt: skip
NINO_REFUSED = np.frombuffer(b"BGGBKNNKNTTNZZ", np.uint8)
PESEL_WEIGHTS = np.array([1, 3, 7, 9, 1, 3, 7, 9, 1, 3], np.int64)
SINGAPOREAN_WEIGHTS = np.array([2, 7, 6, 5, 4, 3, 2], np.int64)
SINGAPOREAN_CITIZENS = np.frombuffer(b"JZIHGFEDCBA", np.uint8)
SINGAPOREAN_OTHERS = np.frombuffer(b"XWUTRQPNMLK", np.uint8)
TAIWANESE_LETTERS = np.array(  # A to Z
    [10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30, 31, 33], np.int64
)
# Odd places of a codice fiscale: 0 to 9 and A to J count the same.
FISCALE_ODD = np.array(
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23], np.int64
)
_VERHOEFF_D = np.array(
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
     [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
     [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
     [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]], np.int64
)  # fmt: skip
_VERHOEFF_P = np.array(
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4], [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
     [8, 9, 1, 6, 0, 4, 3, 5, 2, 7], [9, 4, 5, 3, 1, 2, 6, 8, 7, 0], [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
     [2, 7, 9, 3, 8, 0, 6, 4, 1, 5], [7, 0, 4, 6, 9, 1, 3, 2, 5, 8]], np.int64
)  # fmt: skip
# Letters of the country, and characters of its account numbers: SWIFT's IBAN registry.
IBAN_COUNTRIES = np.frombuffer(
    b"ADAEALATAZBABEBGBHBRBYCHCRCYCZDEDKDOEEEGESFIFOFRGBGEGIGLGRGTHRHUIEILIQISITJOKWKZLBLCLILTLULVMCMDMEMKMRMTMUNL"
    b"NOPKPLPSPTQAROSARSSCSESISKSMSTSVTLTNTRUAVAVGXK",
    np.uint8,
)
IBAN_LENGTHS = np.array(
    [24, 23, 28, 20, 28, 20, 16, 22, 22, 29, 28, 21, 22, 28, 24, 22, 18, 28, 20, 29, 24, 18, 18, 27, 22, 22, 23, 18, 27,
     28, 21, 28, 22, 23, 23, 26, 27, 30, 30, 20, 28, 32, 21, 20, 20, 21, 27, 24, 22, 19, 27, 31, 30, 18, 15, 24, 28, 29,
     25, 29, 24, 24, 22, 31, 24, 19, 24, 27, 25, 28, 23, 24, 26, 29, 22, 24, 20], np.int64
)  # fmt: skip
# Networks that lead to nobody in particular: IANA's registry of special-purpose addresses, and multicast.
SPECIAL_NETWORKS = np.array(
    [[0, 0, 0, 0, 8], [10, 0, 0, 0, 8], [100, 64, 0, 0, 10], [127, 0, 0, 0, 8], [169, 254, 0, 0, 16],
     [172, 16, 0, 0, 12], [192, 0, 0, 0, 24], [192, 0, 2, 0, 24], [192, 88, 99, 0, 24], [192, 168, 0, 0, 16],
     [198, 18, 0, 0, 15], [198, 51, 100, 0, 24], [203, 0, 113, 0, 24], [224, 0, 0, 0, 3]], np.int64
)  # fmt: skip


@njit
def _number(signs, start, stop):
    value = 0
    for i in range(start, stop):
        value = value * 10 + signs[i] - _ZERO
    return value


@njit
def _is_date(year, month, day):
    """Whether a day exists; year 0 for an unknown century, of which 29 February may be."""
    if month < 1 or month > 12 or day < 1 or day > 31:
        return False
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return day <= (29 if leap else 28)
    return not (day == 31 and (month == 4 or month == 6 or month == 9 or month == 11))


@njit
def _weighted(signs, weights, start):
    total = 0
    for i in range(len(weights)):
        total += weights[i] * (signs[start + i] - _ZERO)
    return total


@njit
def luhn(signs, start, stop):
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for i in range(start, stop):
        digit = signs[stop - 1 - (i - start)] - _ZERO
        if (i - start) % 2:
            digit = digit * 2 - (9 if digit > 4 else 0)
        total += digit
    return total % 10 == 0


@njit
def _mod_97(signs, start, stop, value):
    """The number that letters (A = 10) and digits spell behind ``value``, modulo 97."""
    for i in range(start, stop):
        sign = np.int64(signs[i])
        value = (value * 100 + sign - _A + 10) % 97 if sign >= _A else (value * 10 + sign - _ZERO) % 97
    return value


@njit
def _iban(signs, n):
    for i in range(len(IBAN_LENGTHS)):
        if IBAN_COUNTRIES[2 * i] == signs[0] and IBAN_COUNTRIES[2 * i + 1] == signs[1]:
            return IBAN_LENGTHS[i] == n and _mod_97(signs, 0, 4, _mod_97(signs, 4, n, 0)) == 1
    return False


@njit
def _chinese_id(signs):
    known = False
    for region in CHINESE_REGIONS:
        known |= region == _number(signs, 0, 2)
    if not known or not _is_date(_number(signs, 6, 10), _number(signs, 10, 12), _number(signs, 12, 14)):
        return False
    return signs[17] == CHINESE_SIGNS[_weighted(signs, CHINESE_WEIGHTS, 0) % 11]


@njit
def _ssn(signs):
    area = _number(signs, 0, 3)
    return 0 < area < 900 and area != 666 and _number(signs, 3, 5) > 0 and _number(signs, 5, 9) > 0


@njit
def _nino(signs):
    for i in range(0, len(NINO_REFUSED), 2):
        if signs[0] == NINO_REFUSED[i] and signs[1] == NINO_REFUSED[i + 1]:
            return False
    return True


@njit
def _dni(signs, n):
    value = 0 if signs[0] < _A else np.int64(signs[0]) - ord("X")  # a foreigner's X, Y, Z count 0, 1, 2
    for i in range(1 if signs[0] >= _A else 0, n - 1):
        value = value * 10 + signs[i] - _ZERO
    return DNI_LETTERS[value % 23] == signs[n - 1]


@njit
def _codice_fiscale(signs):
    total = 0
    for i in range(15):
        sign = np.int64(signs[i])
        value = sign - _A if sign >= _A else sign - _ZERO
        total += value if i % 2 else FISCALE_ODD[value]
    return total % 26 == np.int64(signs[15]) - _A


@njit
def _nir(signs):
    value = 0
    for i in range(13):
        sign = np.int64(signs[i])
        value = value * 10 + (sign - _ZERO if sign < _A else 0)
    if signs[6] == _A:  # Corsica: 2A counts as 19, 2B as 18
        value -= 1_000_000
    elif signs[6] == _A + 1:
        value -= 2_000_000
    return 97 - value % 97 == _number(signs, 13, 15)


@njit
def _pesel(signs):
    month = _number(signs, 2, 4)
    century = month // 20
    year = (1800 if century == 4 else 1900 + 100 * century) + _number(signs, 0, 2)
    if not _is_date(year, month % 20, _number(signs, 4, 6)):
        return False
    return (_weighted(signs, PESEL_WEIGHTS, 0) + signs[10] - _ZERO) % 10 == 0


@njit
def _personnummer(signs, n):
    first = n - 10
    day = _number(signs, first + 4, first + 6)
    day -= 60 if day > 60 else 0  # a coordination number
    return _is_date(0, _number(signs, first + 2, first + 4), day) and luhn(signs, first, n)


@njit
def _hetu(signs, n):
    if not _is_date(0, _number(signs, 2, 4), _number(signs, 0, 2)):
        return False
    value = _number(signs, 0, 6) * 1000 + _number(signs, n - 4, n - 1)  # an A between them is no part of the number
    return HETU_SIGNS[value % 31] == signs[n - 1]


@njit
def _ean(signs, n):
    total = 0
    for i in range(n):
        total += (signs[n - 1 - i] - _ZERO) * (3 if i % 2 else 1)
    return total % 10 == 0


@njit
def _cpf(signs):
    same = True
    for i in range(1, 11):
        same &= signs[i] == signs[0]
    for n in (9, 10):
        total = 0
        for i in range(n):
            total += (n + 1 - i) * (signs[i] - _ZERO)
        if (total * 10 % 11) % 10 != signs[n] - _ZERO:
            return False
    return not same


@njit
def _verhoeff(signs, n):
    value = 0
    for i in range(n):
        value = _VERHOEFF_D[value, _VERHOEFF_P[i % 8, signs[n - 1 - i] - _ZERO]]
    return value == 0


@njit
def _taiwanese_id(signs):
    letter = TAIWANESE_LETTERS[np.int64(signs[0]) - _A]
    total = letter // 10 + letter % 10 * 9
    for i in range(1, 9):
        total += (9 - i) * (signs[i] - _ZERO)
    return (total + signs[9] - _ZERO) % 10 == 0


@njit
def _singaporean_id(signs):
    total = _weighted(signs, SINGAPOREAN_WEIGHTS, 1)
    if signs[0] == ord("T") or signs[0] == ord("G"):
        total += 4
    table = SINGAPOREAN_CITIZENS if signs[0] == ord("S") or signs[0] == ord("T") else SINGAPOREAN_OTHERS
    return table[total % 11] == signs[8]


@njit
def _hong_kong_id(signs, n):
    total = 0 if n == 9 else 36 * 9  # a single letter stands behind a space, which counts 36
    for i in range(n - 1):
        sign = np.int64(signs[i])
        total += (sign - _A + 10 if sign >= _A else sign - _ZERO) * (n - i)
    last = np.int64(signs[n - 1])
    return (total + (10 if last == _A else last - _ZERO)) % 11 == 0


@njit
def passes(check, signs, n):
    """Whether a number passes the check of that number; addresses are checked by ``is_public`` instead."""
    if check == LUHN:
        return luhn(signs, 0, n)
    if check == DIGITS_9_TO_15:
        return 9 <= n <= 15
    if check == DIGITS_10_TO_11:
        return 10 <= n <= 11
    if check == SSN:
        return _ssn(signs)
    if check == CHINESE_ID:
        return _chinese_id(signs)
    if check == NINO:
        return _nino(signs)
    if check == DNI:
        return _dni(signs, n)
    if check == CODICE_FISCALE:
        return _codice_fiscale(signs)
    if check == NIR:
        return _nir(signs)
    if check == PESEL:
        return _pesel(signs)
    if check == PERSONNUMMER:
        return _personnummer(signs, n)
    if check == HETU:
        return _hetu(signs, n)
    if check == EAN:
        return _ean(signs, n)
    if check == CPF:
        return _cpf(signs)
    if check == VERHOEFF:
        return _verhoeff(signs, n)
    if check == KOREAN_ID:
        return _is_date(0, _number(signs, 2, 4), _number(signs, 4, 6))
    if check == TAIWANESE_ID:
        return _taiwanese_id(signs)
    if check == SINGAPOREAN_ID:
        return _singaporean_id(signs)
    if check == HONG_KONG_ID:
        return _hong_kong_id(signs, n)
    if check == IBAN:
        return _iban(signs, n)
    return True


@njit
def is_public_ipv4(address):
    """Whether an IPv4 address (an int64) is of no special network."""
    for row in range(len(SPECIAL_NETWORKS)):
        network = 0
        for i in range(4):
            network = network << 8 | SPECIAL_NETWORKS[row, i]
        if (address ^ network) >> (32 - SPECIAL_NETWORKS[row, 4]) == 0:
            return False
    return True
