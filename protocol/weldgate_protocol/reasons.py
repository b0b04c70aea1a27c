"""The one register of numbered reasons: token, gate, wire, platform, tools. Numbers are never used twice.

The same number stands in the frame, on the display, on the page and in SPEC.md. This module holds the integers
alone, since it runs on the chip; what each says to a person is in `reason_texts.py`, and the numbers from 300 on are in
`host_reasons.py` (both host only).

A retired number stays here as a comment and is not given out again.
"""

import sys

from weldgate_protocol._compat import const

# 1–39 token
TOKEN_MALFORMED = const(1)
TOKEN_TOO_LONG = const(2)
TOKEN_UNKNOWN_KEY = const(3)
TOKEN_ALGORITHM = const(4)
TOKEN_SIGNATURE = const(5)
TOKEN_EXPIRED = const(6)
TOKEN_NOT_YET = const(7)
TOKEN_OTHER_DEVICE = const(8)
TOKEN_USED = const(9)
TOKEN_LIFE_TOO_LONG = const(10)
TOKEN_FROM_FUTURE = const(11)
TOKEN_UNKNOWN_CLAIM = const(12)
TOKEN_MISSING_CLAIM = const(13)
TOKEN_SCOPE = const(14)
TOKEN_AREA = const(15)
TOKEN_REVOKED = const(16)
TOKEN_KEY_PERIOD = const(17)
TOKEN_KEY_SET_EXPIRED = const(18)
TOKEN_PERMIT_WINDOW = const(19)
TOKEN_CLOCK_UNSURE = const(20)
TOKEN_OTHER_HOLDER = const(21)
TOKEN_USED_TABLE_FULL = const(22)
TOKEN_CLAIM_RANGE = const(23)
TOKEN_KEY_REVOKED = const(24)
TOKEN_NO_KEY_SET = const(25)
TOKEN_LIVE_CODE = const(26)
TOKEN_LIVE_CODE_WRONG = const(27)
TOKEN_NO_HOLDER_KEY = const(28)

# 40–59 signed orders
ORDER_MALFORMED = const(40)
ORDER_SIGNATURE = const(41)
ORDER_EXPIRED = const(42)
ORDER_OTHER_DEVICE = const(43)
ORDER_USED = const(44)
ORDER_SCOPE = const(45)
ORDER_UNKNOWN_CLAIM = const(46)
ORDER_VERSION_OLD = const(47)
ORDER_UNKNOWN_LOCK = const(48)
ORDER_UNKNOWN_ALARM = const(49)
ORDER_UNSUPPORTED = const(50)
ORDER_UNKNOWN_KEY = const(51)
ORDER_MISSING_CLAIM = const(52)
ORDER_CLAIM_RANGE = const(53)
ORDER_IN_SESSION = const(54)
ORDER_FROM_FUTURE = const(55)
ORDER_TOO_LONG = const(56)

# 60–69 key set
KEY_SET_MALFORMED = const(60)
KEY_SET_SIGNATURE = const(61)
KEY_SET_VERSION = const(62)
KEY_SET_EXPIRED = const(63)

# 100–119 the gate refuses to start
GATE_LOCKED = const(100)
GATE_LATCHED = const(101)
GATE_NO_LOCAL_ACT = const(102)
GATE_SPOOL_FULL = const(103)
GATE_FLASH_FAILED = const(104)
GATE_BUSY = const(105)
GATE_SENSOR_FAULT = const(106)
GATE_NOT_READY = const(107)
GATE_CURRENT_BEFORE_START = const(108)
GATE_NO_SESSION = const(109)
GATE_BUTTON_STUCK = const(110)
GATE_LIMIT_SPENT = const(111)
GATE_REMOVAL = const(112)

# 120–149 why a session ended or paused
END_WELDER = const(120)
END_IDLE = const(121)
END_EXPIRED = const(122)
END_SESSION_LIMIT = const(123)
END_OFFLINE_ALLOWANCE = const(124)
END_LOCK_NOW = const(125)
END_LOCK_SOFT = const(126)
END_ALARM = const(127)
END_SENSOR_FAULT = const(128)
END_OVER_CURRENT = const(129)
END_NOT_RESUMED = const(130)
END_REPLACED = const(131)
END_FAULT = const(132)
END_POWER_LOSS = const(133)
END_REVOKED = const(134)

# 150–199 alarms
ALARM_BYPASS = const(150)
ALARM_WELDED_CONTACT = const(151)
ALARM_SENSOR_OPEN = const(152)
ALARM_SENSOR_SHORT = const(153)
ALARM_CASE_OPEN = const(154)
ALARM_SPOOL_FORMATTED = const(155)
ALARM_LATCH_UNREADABLE = const(156)
ALARM_IDENTITY_CLONED = const(157)
ALARM_OVER_CURRENT = const(158)
ALARM_CLOCK = const(159)
ALARM_KEY_SET_ENDING = const(160)
ALARM_SPOOL_FULL = const(161)
ALARM_EXCEPTION = const(162)
ALARM_WATCHDOG_RESET = const(163)
ALARM_BUTTON_STUCK = const(164)
ALARM_FLASH_FAILED = const(165)
ALARM_REMOVAL = const(166)
ALARM_SILENT = const(167)
ALARM_EMERGENCY = const(168)

# 200–219 frames and streams
FRAME_CRC = const(200)
FRAME_STUFFING = const(201)
FRAME_LENGTH = const(202)
FRAME_VERSION = const(203)
FRAME_QUALITY = const(204)
FRAME_TIME = const(205)
FRAME_SHORT = const(206)
FRAME_TAG = const(207)
FRAME_DIRECTION = const(208)
FRAME_DURABLE = const(209)
FRAME_DEVICE = const(210)
FRAME_SEQUENCE = const(211)
STREAM_NOT_DRAINED = const(215)

# 220–234 CBOR
CBOR_TRUNCATED = const(220)
CBOR_TRAILING = const(221)
CBOR_NOT_CANONICAL = const(222)
CBOR_TYPE = const(223)
CBOR_DEPTH = const(224)
CBOR_KEY_ORDER = const(225)
CBOR_DUPLICATE_KEY = const(226)
CBOR_UTF8 = const(227)
CBOR_RANGE = const(228)
CBOR_ITEMS = const(229)

# 235–249 messages
MESSAGE_UNKNOWN_TYPE = const(235)
MESSAGE_MISSING = const(236)
MESSAGE_FIELD_TYPE = const(237)
MESSAGE_FIELD_RANGE = const(238)
MESSAGE_NOT_MAP = const(239)
MESSAGE_UNKNOWN_KEY = const(240)

# 250–269 conversation
WIRE_UNKNOWN_CHIP = const(250)
WIRE_SEQUENCE_HOLE = const(251)
WIRE_ACK_BEYOND_SENT = const(252)
WIRE_UNEXPECTED = const(253)
WIRE_BAD_TAGS = const(254)
WIRE_HELLO_TIMEOUT = const(255)
WIRE_SUPERSEDED = const(256)
WIRE_WELCOME_LATE = const(257)
WIRE_NOT_ONLINE = const(258)
WIRE_THROTTLED = const(259)
WIRE_PENDING = const(260)
WIRE_CONFLICT = const(261)
WIRE_HIGH_WATER = const(262)
WIRE_OTHER_EPOCH = const(263)
WIRE_ACK_STALLED = const(264)
WIRE_SILENT = const(265)

# 270–279 envelopes, keys, packs
COSE_MALFORMED = const(270)
COSE_HEADERS = const(271)
BASE45_MALFORMED = const(272)
KEY_MALFORMED = const(273)
PACK_MALFORMED = const(275)
PACK_MAC = const(276)
PACK_NUMBER = const(277)
PACK_DIGEST = const(278)

# 280–299 configuration, console, storage
CONFIG_UNKNOWN_KEY = const(280)
CONFIG_TYPE = const(281)
CONFIG_RANGE = const(282)
CONFIG_MALFORMED = const(283)
CONSOLE_TOO_LONG = const(285)
CONSOLE_UNKNOWN_COMMAND = const(286)
CONSOLE_ARGUMENT = const(287)
CONSOLE_NOT_ALLOWED = const(288)
STORAGE_FULL = const(290)
STORAGE_FAILED = const(291)
STORAGE_SEQUENCE = const(292)
STORAGE_TOO_LONG = const(293)
STORAGE_UNREADABLE = const(294)

# 300–499 platform and 500 up tools never come from a chip, so their 900 bytes are not on it.
if sys.implementation.name != "micropython":
    from weldgate_protocol.host_reasons import *  # noqa: F403 - one register, read as one
