#pragma once

#include <cstdint>

#include "culvert/base/bytes.h"
#include "culvert/dns/name.h"

namespace culvert::dns {

/// Those that are treated in a way of their own; there are others. Numbers: IANA, "Resource Record (RR) TYPEs".
enum class RecordType : std::uint16_t {
    kA = 1,
    kNs = 2,
    kCname = 5,
    kSoa = 6,
    kPtr = 12,
    kMx = 15,
    kTxt = 16,
    kAaaa = 28,
    kSrv = 33,
    kOpt = 41,
    kSvcb = 64,
    kHttps = 65,
    kIxfr = 251,
    kAxfr = 252,
    kAny = 255,
    kCaa = 257,
};

inline constexpr std::uint16_t kClassIn = 1;

/// A resource record. `data` is as on the wire, names in it uncompressed.
struct Record {
    Name owner;
    RecordType type = RecordType::kA;
    std::uint16_t record_class = kClassIn;
    std::uint32_t ttl = 0;  // seconds
    Bytes data;

    friend bool operator==(const Record&, const Record&) = default;
};

}  // namespace culvert::dns
