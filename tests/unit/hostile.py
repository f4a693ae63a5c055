"""Hosts that lead, or may lead, where a customer's address must not: one corpus for all tests."""

ADDRESSES_TEXT = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1
127.1.2.3 127.255.255.255 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255
192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 168.63.129.16
:: ::1 ::127.0.0.1 ::10.0.0.1 ::169.254.169.254 ::ffff:127.0.0.1 ::ffff:10.0.0.1
::ffff:169.254.169.254 ::ffff:168.63.129.16 ::ffff:100.64.0.1 ::ffff:0.0.0.0 ::ffff:0:127.0.0.1
::ffff:0:8.8.8.8 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a83f:8110 64:ff9b::a00:1
64:ff9b:1::1 64:ff9b:1::808:808 64:ff9b:1::7f00:1 64:ff9b:0:1::1
2002:7f00:1:: 2002:a9fe:a9fe:: 2002:a00:1::1 2002:a83f:8110:: 2002:c0a8:1::1
2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:0:808:808:0:0:80ff:fffe 2001:db8::1 2001:10::1
2001:2::1 fc00::1 fd00:ec2::254 fd20:ce::254 fdff::1 fe80::1 fe90::1 febf::1 fec0::1 feff::1
ff02::1 ff0e::1 100::1 3fff::1 5f00::1
2606:4700::5efe:7f00:1 2606:4700::200:5efe:a9fe:a9fe 2606:4700::5efe:a00:1 fe80::5efe:7f00:1
2002:808:808::5efe:7f00:1 ::8.8.8.8 ::fffe:7f00:1 1::1 200::1 400::1 1fff::1 4000::1 8000::1 e000::1
"""
"""Addresses as the standards write them: none of them is on the public internet."""
ADDRESSES = tuple(ADDRESSES_TEXT.split())

SPELLINGS_TEXT = """
2130706433 0x7f000001 0X7F000001 017700000001 127.1 127.0.1 0x7f.1 0x7f.0.0.1 0177.0.0.1 0177.1
0000177.0.0.1 127.0x1 127.0.0x0.01 2852039166 0xa9fea9fe 025177524776 0251.0376.0251.0376
169.254.43518 0xa9.254.0251.254 0 0x0 00 0.0 10.1 3232235521 0300.0250.0.1 0xc0a80001
①②⑦.0.0.1 1②7.0.0.1 127。0。0。1 127\uff0e0\uff0e0\uff0e1 \uff11\uff12\uff17.0.0.1 ⑯⑨.254.169.254
%31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.1. 2130706433. 127.0.0.1%00 127.0.0.1%2f
0:0:0:0:0:0:0:1 0:0:0:0:0:ffff:7f00:1 0:0:0:0:0:ffff:127.0.0.1 ::FFFF:7F00:1 FE80::1
fe80::1%lo fe80::1%251 fe80::1%25lo ::1%lo
localhost localhost. LOCALHOST LocalHost localhost.. api.localhost a.b.localhost. ⓛocalhost
\uff4c\uff4fcalhost loca\u00adlhost localhost\u3002
"""
"""Other ways to write such addresses, and names that mean this machine."""
SPELLINGS = tuple(SPELLINGS_TEXT.split())

HOSTS = (*ADDRESSES, *SPELLINGS)

PUBLIC_TEXT = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1
168.63.129.15 169.253.255.255 172.15.255.255 172.32.0.1 192.167.255.255 192.169.0.1 223.255.255.1
2606:4700:4700::1111 2a00:1450:4001:800::200e ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::
2606:4700::5efe:808:808
"""
PUBLIC = tuple(PUBLIC_TEXT.split())


def in_url(host: str) -> str:
    """The host as the authority of an address holds it."""
    return f"[{host}]" if ":" in host else host


def urls(host: str, scheme: str = "https", port: int = 8443) -> tuple[str, ...]:
    """Whole addresses that lead to the host, or make believe that they lead elsewhere."""
    place = in_url(host)
    return (
        f"{scheme}://{place}",
        f"{scheme}://{place}:{port}/",
        f"{scheme}://user:pass@{place}:{port}/v1",
        f"{scheme}://public.example@{place}:{port}/",
        f"{scheme}://{place}:{port}\\@public.example/",
        f"{scheme}://{place}:{port}/#@public.example/",
    )


def astray(host: str) -> list[str]:
    """Paths that lead to the host when they are put behind an address."""
    place = in_url(host)
    forms = (f"//{place}/", f"https://{place}/", f"@{place}/", f":80@{place}/", f".{place}/")
    return [*forms, f"/\\{place}/", f"\\\\{place}/", f"/https://{place}/", f"/../{{{place}}}"]


def disguises(host: str, good: str) -> list[str]:
    """Settings that hide the host before or behind a good value."""
    place = in_url(host)
    before = (f"{place}{mark}{good}" for mark in ("/", "#", "?", "\\", ":443/", "/.", "\t", "\n"))
    after = (f"{good}{mark}{place}" for mark in ("@", ":80@", "\\@", ".", "\n", "#@"))
    return [host, place, *before, *after, f"user@{place}/", f"{place}:443", f"{place}\n"]
