# mypy: allow-untyped-defs
"""Finding e-mail and IP addresses, phone, card, account and identity numbers in one walk over each document.

Text is read as signs: ASCII as it is; digits and other characters that pages write in other forms (fullwidth, Arabic,
no-break spaces, typographic hyphens) as the ASCII they stand for; everything else as OTHER. Eight bytes without an @
and without a digit are passed at a glance. From the first digit of a run of letters and digits the automaton of all
patterns walks once; its longest match that may end there and passes its check counts.

Every walk, ahead or back, ends after a bounded number of signs, so the time is linear in the text whatever it is.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from filters.checksum_kernels import IPV4, IPV6, is_public_ipv4, passes
from text.hashing import mix64
from text.raw_memory import read_uint8, read_uint64

OTHER = 0x80
NO_SIGN = -1  # before the beginning and behind the end of a document
SPAN_COLUMNS = 4  # document, first byte, byte behind the last, pattern
LONGEST_LOCAL = 64  # RFC 5321, 4.5.3.1.1
LONGEST_DOMAIN = 253
_LETTERS_BEFORE = 6  # letters that a number may begin with: a codice fiscale
_FACTOR = np.uint64(0x9FB21C651E98DF25)

_SPACE, _HASH, _DOLLAR, _PERCENT, _AMPERSAND, _OPEN, _PLUS, _COMMA, _HYPHEN, _DOT, _SLASH = (
    ord(" "), ord("#"), ord("$"), ord("%"), ord("&"), ord("("), ord("+"), ord(","), ord("-"), ord("."), ord("/")
)  # fmt: skip
_COLON, _EQUALS, _AT, _BACKSLASH, _UNDERSCORE, _TILDE = ord(":"), ord("="), ord("@"), ord("\\"), ord("_"), ord("~")
_ONES = np.uint64(0x0101010101010101)
_TOP_BITS = np.uint64(0x8080808080808080)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_FROM_0 = np.uint64(0x0101010101010101 * (0x80 - ord("0")))
_PAST_9 = np.uint64(0x0101010101010101 * (0x80 - ord("9") - 1))


@njit
def _eight(address, stop):
    if address + 8 <= stop:
        return read_uint64(address)
    value = np.uint64(0)
    for i in range(stop - address):
        value |= np.uint64(read_uint8(address + i)) << np.uint64(8 * i)
    return value


@njit
def _bytes_equal(eight, byte):
    """The top bit of the first byte that equals ``byte``, and of no byte before it; later bits may be wrong."""
    other = eight ^ (_ONES * np.uint64(byte))
    return (other - _ONES) & ~other & _TOP_BITS


@njit
def sign_at(address, stop):
    """The sign at an address and its bytes; NO_SIGN and 0 at the end."""
    if address >= stop:
        return NO_SIGN, 0
    lead = np.int64(read_uint8(address))
    if lead < 0x80:
        return lead, 1
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if address + size > stop:  # invalid text
        return OTHER, stop - address
    second = np.int64(read_uint8(address + 1))
    if size == 2:
        if lead == 0xD9 and 0xA0 <= second <= 0xA9:  # Arabic digits
            return second - 0xA0 + 48, 2
        if lead == 0xDB and 0xB0 <= second <= 0xB9:  # Persian and Urdu digits
            return second - 0xB0 + 48, 2
        return (_SPACE if lead == 0xC2 and second == 0xA0 else OTHER), 2
    if size == 3:
        third = np.int64(read_uint8(address + 2))
        if lead == 0xEF and second == 0xBC and third >= 0x81:  # fullwidth ! to _
            return third - 0x60, 3
        if lead == 0xEF and second == 0xBD and third <= 0x9E:  # fullwidth ` to ~
            return third - 0x20, 3
        if lead == 0xE2 and second == 0x80:
            if 0x90 <= third <= 0x94:  # hyphens and dashes
                return _HYPHEN, 3
            return (_SPACE if third == 0xAF else OTHER), 3
        return (_SPACE if lead == 0xE3 and second == 0x80 and third == 0x80 else OTHER), 3
    return OTHER, size


@njit
def sign_before(address, start):
    """The sign that ends at an address and its bytes; NO_SIGN and 0 at the beginning."""
    if address <= start:
        return NO_SIGN, 0
    size = 1
    while size < 4 and address - size > start and (read_uint8(address - size) & 0xC0) == 0x80:
        size += 1
    return sign_at(address - size, address)[0], size


@njit
def _is_digit(sign):
    return 48 <= sign <= 57


@njit
def _is_letter(sign):
    return 65 <= (sign & ~32) <= 90 and sign < 128 and sign >= 0


@njit
def _is_alphanumeric(sign):
    return _is_digit(sign) or _is_letter(sign)


@njit
def _is_local(sign):
    """Whether a sign may be in an address before its @, as practice has it; RFC 5322 allows quotes and slashes too."""
    return _is_alphanumeric(sign) or sign in (_DOT, _UNDERSCORE, _HYPHEN, _PLUS, _PERCENT)


@njit
def _local_start(at, floor):
    """Where the address with its @ at ``at`` begins; -1 if there is none in front of it."""
    position = at
    start = np.int64(-1)
    count = 0
    behind = _DOT
    while True:
        sign, size = sign_before(position, floor)
        if sign == NO_SIGN or not _is_local(sign):
            return start
        if sign == _DOT and behind == _DOT:  # two in a row, or one before the @, end what may be an address
            return start
        count += 1
        if count > LONGEST_LOCAL:
            return -1
        position -= size
        if _is_alphanumeric(sign) or sign == _UNDERSCORE:
            start = position
        behind = sign


@njit
def _domain_end(address, stop, no_domains):
    """Where a domain name that starts at an address ends; -1 if there is none.

    Of its labels the last that may be a top-level domain ends it: letters, at least two, and no file's extension.
    """
    end = np.int64(-1)
    signs = labels = 0
    while True:
        name = np.uint64(0)  # the label's last eight letters in lower case
        length = 0
        behind = address  # the label's last letter or digit
        letters = True
        hyphen = False
        while True:
            sign, size = sign_at(address, stop)
            if _is_alphanumeric(sign):
                letters &= _is_letter(sign) and not hyphen
                hyphen = False
                behind = address + size
                name = name << np.uint64(8) | np.uint64(sign | 32)
            elif sign == _HYPHEN and length:
                hyphen = True
            else:
                break
            length += 1
            signs += 1
            address += size
            if signs > LONGEST_DOMAIN:
                return -1
        if length == 0:
            return end
        labels += 1
        if labels > 1 and letters and length >= 2:
            end = behind
            for word in no_domains:
                if word == name:
                    end = np.int64(-1)
        if hyphen or sign != _DOT:
            return end
        signs += 1
        address += size


@njit
def _is_path(address, stop):
    """Whether what stands behind a name makes it a host: ``git@host.org:folder/file``."""
    sign, size = sign_at(address, stop)
    if sign != _COLON:
        return False
    sign, _ = sign_at(address + size, stop)
    return _is_letter(sign) or sign in (_SLASH, _TILDE)


@njit
def _emails(first, start, stop, document, no_domains, spans, used):
    """Appends the e-mail addresses of a document to ``spans``; returns it and how many there are."""
    position = floor = start
    while position < stop:
        eight = _eight(position, stop)
        wide = _bytes_equal(eight, 0xEF)  # may begin a fullwidth @
        wanted = _bytes_equal(eight, _AT) | wide
        if wanted == 0:
            position += 8
            continue
        position += np.int64(trailing_zeros(wanted)) >> 3
        sign, size = sign_at(position, stop)
        if sign == _AT:
            begin = _local_start(position, floor)
            if begin >= 0:
                end = _domain_end(position + size, stop, no_domains)
                if end >= 0 and not _is_path(end, stop):
                    if used == len(spans):
                        spans = np.concatenate((spans, np.empty_like(spans)))
                    spans[used, 0], spans[used, 1], spans[used, 2] = document, begin - first, end - first
                    spans[used, 3] = 0
                    used += 1
                    floor = end
        position += max(size, 1)
    return spans, used


@njit
def _may_begin(address, start, is_address):
    """Whether a number may begin at an address, by what stands before."""
    sign, size = sign_before(address, start)
    if sign in (NO_SIGN, OTHER):
        return True
    if _is_alphanumeric(sign) or sign == _UNDERSCORE:
        return False
    farther, _ = sign_before(address - size, start)
    if sign in (_DOT, _COMMA):  # a decimal number, a version
        return not _is_digit(farther)
    if is_address:
        return not (sign == _HYPHEN and _is_alphanumeric(farther))
    if sign in (_HASH, _DOLLAR, _PERCENT, _AMPERSAND, _EQUALS, _AT, _BACKSLASH, _TILDE):
        return False
    if sign in (_HYPHEN, _PLUS, _SLASH):
        return not _is_alphanumeric(farther)
    return not (sign == _COLON and _is_digit(farther))


@njit
def _may_end(address, stop, is_address):
    """Whether a number may end at an address, by what stands behind."""
    sign, size = sign_at(address, stop)
    if sign in (NO_SIGN, OTHER):
        return True
    if _is_alphanumeric(sign) or sign == _UNDERSCORE:
        return False
    farther, _ = sign_at(address + size, stop)
    if sign == _DOT:
        return not _is_alphanumeric(farther)
    if is_address:
        return not (sign == _HYPHEN and _is_letter(farther)) and not (sign == _COLON and _is_letter(farther))
    if sign in (_PERCENT, _EQUALS, _AT):
        return False
    if sign in (_HYPHEN, _SLASH, _PLUS):
        return not _is_alphanumeric(farther)
    return not (sign in (_COMMA, _COLON) and _is_digit(farther))


@njit
def _in_a_row(address, end, start, stop):
    """Whether more numbers stand before or behind a number with nothing but a space between."""
    sign, size = sign_before(address, start)
    if sign == _SPACE and _is_digit(sign_before(address - size, start)[0]):
        return True
    sign, size = sign_at(end, stop)
    return sign == _SPACE and _is_digit(sign_at(end + size, stop)[0])


@njit
def _behind_word(address, start, words):
    """Whether one of some words (see ``filters.personal_data.packed``) stands before an address."""
    for _ in range(3):
        sign, size = sign_before(address, start)
        if sign in (NO_SIGN, OTHER) or _is_alphanumeric(sign):
            break
        address -= size
    name = np.uint64(0)
    length = 0
    while True:
        sign, size = sign_before(address, start)
        if not _is_letter(sign):
            break
        length += 1
        if length > 8:
            return False
        name |= np.uint64(sign | 32) << np.uint64(8 * (length - 1))
        address -= size
    known = False
    for word in words:
        known |= word == name
    return known and length > 0


@njit
def _is_special(signs_from, end, stop, check, public_only, start, version_words):
    """Whether an IP address is none that leads to anybody, or is a version."""
    groups = np.zeros(8, np.int64)
    count = 0
    gap = -1
    address = signs_from
    value = digits = 0
    base = 10 if check == IPV4 else 16
    while True:
        sign, size = (NO_SIGN, 0) if address >= end else sign_at(address, stop)
        if _is_alphanumeric(sign):
            value = value * base + (sign - 48 if sign < 65 else (sign | 32) - 87)
            digits += 1
        else:
            if digits:
                if count == 8:
                    return True
                groups[count] = value
                count += 1
            elif sign == _COLON and gap < 0:
                gap = count
            value = digits = 0
            if sign == NO_SIGN:
                break
        address += size
    if check == IPV4:
        number = groups[0] << 24 | groups[1] << 16 | groups[2] << 8 | groups[3]
        if groups[3] == 0:  # a network, or far more often a version
            return True
        return (public_only and not is_public_ipv4(number)) or _behind_word(signs_from, start, version_words)
    if (gap < 0 and count != 8) or (gap >= 0 and count > 7):
        return True
    second = groups[1] if gap != 1 else 0
    return public_only and ((groups[0] == 0x2001 and second == 0xDB8) or (groups[0] == 0x3FFF and second < 0x1000))


@njit
def _longest(address, start, stop, limit, classes, steps, accepts, checks, enabled, public_only, versions, signs):
    """The longest number that begins at an address: its end and pattern, (-1, -1) if there is none.

    ``limit``: where the next e-mail address begins. ``signs``: uint8 scratch.
    """
    number_may = _may_begin(address, start, False)
    address_may = _may_begin(address, start, True)
    found = np.int64(-1)
    pattern = np.int64(-1)
    if not number_may and not address_may:
        return found, pattern
    position = address
    state = 1
    n = 0
    spaced = False
    while position < limit:
        sign, size = sign_at(position, stop)
        if sign < 0 or sign >= OTHER or n == len(signs):
            break
        state = np.int64(steps[state, classes[sign]])
        if state == 0:
            break
        position += size
        spaced |= sign == _SPACE
        if _is_alphanumeric(sign):
            signs[n] = sign & ~32 if sign >= 97 else sign
            n += 1
        accepted = accepts[state] & enabled
        if accepted == 0:
            continue
        number_ends = number_may and _may_end(position, stop, False)
        number_ends = number_ends and not (spaced and _in_a_row(address, position, start, stop))
        address_ends = address_may and _may_end(position, stop, True)
        while accepted:
            candidate = np.int64(trailing_zeros(accepted))
            accepted &= accepted - np.uint64(1)
            check = checks[candidate]
            if check in (IPV4, IPV6):
                good = address_ends and not _is_special(address, position, stop, check, public_only, start, versions)
            else:
                good = number_ends and passes(check, signs, n)
            if good:
                found, pattern = position, candidate
                break
    return found, pattern


@njit
def _candidate_starts(digit, start, floor, starts):
    """Where a number whose first digit stands at ``digit`` may begin, ascending, into ``starts``; how many there are.

    At the beginning of the run of letters and digits, at brackets and plus signs before it, and at a run of one or two
    letters before it with a space or hyphen between.
    """
    position = digit
    for letters in range(_LETTERS_BEFORE + 2):
        sign, size = sign_before(position, start)
        if not _is_alphanumeric(sign):
            break
        if letters > _LETTERS_BEFORE:
            return 0
        position -= size
    count = 0
    if position >= floor:
        starts[0] = position
        count = 1
    sign, size = sign_before(position, start)
    if sign in (_SPACE, _HYPHEN):
        position -= size
        for _ in range(2):
            sign, size = sign_before(position, start)
            if not _is_letter(sign):
                break
            position -= size
            if position >= floor:
                starts[count] = position
                count += 1
    else:
        while count < 3 and sign in (_OPEN, _PLUS):
            position -= size
            if position < floor:
                break
            starts[count] = position
            count += 1
            sign, size = sign_before(position, start)
    starts[:count] = starts[:count][::-1].copy()
    return count


@njit(nogil=True, cache=True)
def find(data, offsets, classes, steps, accepts, checks, enabled, emails, public_only, no_domains, versions):
    """Personal data in documents.

    Args:
        data, offsets: uint8 [bytes] and int64 [n + 1], the documents.
        classes, steps, accepts: the automaton, ``filters.patterns.Automaton``.
        checks: int64 [p], the check of each of its patterns.
        enabled: uint64, the patterns to look for, a bit each.
        emails: whether to look for e-mail addresses.
        public_only: leave IP addresses of special networks.
        no_domains: uint64, packed names that end no domain.
        versions: uint64, packed words that make a version of what looks like an IP address behind them.

    Returns:
        int64 [s, SPAN_COLUMNS], in the order of the text: row of the document, first byte and byte behind the last
        within it, and 0 for an e-mail address or 1 + the pattern.
    """
    begin = data.ctypes.data
    spans = np.empty((64, SPAN_COLUMNS), np.int64)
    used = 0
    mails = np.empty((16, SPAN_COLUMNS), np.int64)
    signs = np.empty(64, np.uint8)
    starts = np.empty(8, np.int64)
    for document in range(len(offsets) - 1):
        start, stop = begin + offsets[document], begin + offsets[document + 1]
        mailed = 0
        if emails:
            mails, mailed = _emails(start, start, stop, document, no_domains, mails, 0)
        position = floor = start
        for mail in range(mailed + 1):
            limit = start + mails[mail, 1] if mail < mailed else stop
            while enabled and position < limit:
                eight = _eight(position, stop)
                low = eight & _LOW_BITS
                wanted = (low + _FROM_0) & ~(low + _PAST_9) & ~eight & _TOP_BITS
                if eight & _TOP_BITS:  # other digits begin with these
                    wanted |= _bytes_equal(eight, 0xEF) | _bytes_equal(eight, 0xD9) | _bytes_equal(eight, 0xDB)
                if wanted == 0:
                    position += 8
                    continue
                position += np.int64(trailing_zeros(wanted)) >> 3
                if position >= limit:
                    break
                sign, size = sign_at(position, stop)
                if not _is_digit(sign):
                    position += max(size, 1)
                    continue
                count = _candidate_starts(position, start, floor, starts)
                found = np.int64(-1)
                for i in range(count):
                    found, pattern = _longest(
                        starts[i],
                        start,
                        stop,
                        limit,
                        classes,
                        steps,
                        accepts,
                        checks,
                        enabled,
                        public_only,
                        versions,
                        signs,
                    )
                    if found >= 0:
                        if used == len(spans):
                            spans = np.concatenate((spans, np.empty_like(spans)))
                        spans[used, 0], spans[used, 1], spans[used, 2] = document, starts[i] - start, found - start
                        spans[used, 3] = 1 + pattern
                        used += 1
                        position = floor = found
                        break
                if found < 0:  # to the end of the run
                    while _is_alphanumeric(sign):
                        position += size
                        sign, size = sign_at(position, stop)
            if mail < mailed:
                if used == len(spans):
                    spans = np.concatenate((spans, np.empty_like(spans)))
                spans[used] = mails[mail]
                used += 1
                position = floor = start + mails[mail, 2]
    return spans[:used].copy()


@njit(nogil=True, cache=True)
def hash_spans(data, offsets, spans, key):
    """uint64 [s]: a keyed hash of the letters and digits of each span, whatever their case and form."""
    first = data.ctypes.data
    out = np.empty(len(spans), np.uint64)
    for i in range(len(spans)):
        address = first + offsets[spans[i, 0]] + spans[i, 1]
        stop = first + offsets[spans[i, 0]] + spans[i, 2]
        value = mix64(key ^ np.uint64(spans[i, 3]) * _FACTOR)
        while address < stop:
            sign, size = sign_at(address, stop)
            if _is_alphanumeric(sign) or spans[i, 3] == 0:
                value = (value ^ np.uint64(sign | 32 if _is_letter(sign) else sign)) * _FACTOR
            address += size
        out[i] = mix64(value)
    return out
