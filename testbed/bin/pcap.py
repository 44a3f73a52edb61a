# Captures as tcpdump -w writes them: the classic savefile format, pcap-savefile(5), of either byte order, with times in
# microseconds or nanoseconds. No library is needed.
import ipaddress
import struct
from collections import namedtuple

# time: ns since 1970; captured: bytes that the file has of it; length: bytes that it had, with the link's header.
# The rest is None where the packet is not IP, ports also where it is neither TCP nor UDP, or a later fragment.
Packet = namedtuple("Packet", "time captured length src dst protocol sport dport")

EN10MB, RAW, SLL, IPV4, IPV6, SLL2 = 1, 101, 113, 228, 229, 276
# The link's header: how many bytes, and where in it the EtherType stands, if it has one.
HEADERS = {EN10MB: (14, 12), SLL: (16, 14), SLL2: (20, 0), RAW: (0, None), 12: (0, None), 14: (0, None),
           IPV4: (0, None), IPV6: (0, None)}
MAGICS = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
          b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}
HOP_BY_HOP, ROUTING, FRAGMENT, OPTIONS = 0, 43, 44, 60
TCP, UDP = 6, 17


def ports(data, protocol):
    return struct.unpack_from("!HH", data) if protocol in (TCP, UDP) and len(data) >= 4 else (None, None)


def ipv4(data):
    length = (data[0] & 15) * 4
    fragment = struct.unpack_from("!H", data, 6)[0] & 0x1fff
    return (data[12:16], data[16:20], data[9], *ports(b"" if fragment else data[length:], data[9]))


def ipv6(data):
    protocol, at, later = data[6], 40, False
    while protocol in (HOP_BY_HOP, ROUTING, FRAGMENT, OPTIONS) and len(data) >= at + 8:
        if protocol == FRAGMENT:
            later = struct.unpack_from("!H", data, at + 2)[0] >> 3 != 0
            length = 8
        else:
            length = (data[at + 1] + 1) * 8
        protocol = data[at]
        at += length
        if later:
            break
    return (data[8:24], data[24:40], protocol, *ports(b"" if later else data[at:], protocol))


def address(text):
    """An address as packets have it, in bytes; ValueError if it is none."""
    return ipaddress.ip_address(text).packed


def dissect(data, link):
    """Source and destination (bytes), protocol and ports of a packet with its link's header."""
    header, at = HEADERS[link]
    data, kind = data[header:], None if at is None else data[at:at + 2]
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= 20 and kind in (None, b"\x08\x00"):
        return ipv4(data)
    if version == 6 and len(data) >= 40 and kind in (None, b"\x86\xdd"):
        return ipv6(data)
    return (None,) * 5


def packets(path):
    """
    The packets of a file one after the other. Of one that ends in the middle of a packet, as while it is being written,
    those before. ValueError if it is no such file or its link type is not known here.
    """
    with open(path, "rb") as file:
        head = file.read(24)
        if len(head) < 24 or head[:4] not in MAGICS:
            raise ValueError("%s is no pcap file" % path)
        order, unit = MAGICS[head[:4]]
        link = struct.unpack(order + "I", head[20:])[0] & 0xffff
        if link not in HEADERS:
            raise ValueError("%s has packets of link type %d" % (path, link))
        record = struct.Struct(order + "IIII")
        while len(head := file.read(16)) == 16:
            seconds, fraction, captured, length = record.unpack(head)
            data = file.read(captured)
            if len(data) < captured:
                return
            yield Packet(seconds * 10**9 + fraction * unit, captured, length, *dissect(data, link))
