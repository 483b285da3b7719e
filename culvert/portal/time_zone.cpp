#include "culvert/portal/time_zone.h"

#include <stdexcept>

#include <date/tz.h>

namespace culvert::portal {
namespace {

const date::time_zone& zone_of(const void* zone) {
    return *static_cast<const date::time_zone*>(zone);
}

}  // namespace

std::optional<TimeZone> TimeZone::find(std::string_view name) {
    try {
        return TimeZone{date::locate_zone(name)};
    } catch (const std::runtime_error&) {  // no such zone, or no database
        return std::nullopt;
    }
}

LocalSeconds TimeZone::to_local(UnixSeconds time) const {
    return LocalSeconds{zone_of(zone_).to_local(time).time_since_epoch()};
}

std::pair<UnixSeconds, UnixSeconds> TimeZone::to_times(LocalSeconds local) const {
    const date::local_seconds shown{local.time_since_epoch()};
    const auto info = zone_of(zone_).get_info(shown);
    const UnixSeconds first{shown.time_since_epoch() - info.first.offset};
    switch (info.result) {
        case date::local_info::nonexistent:
            return {info.first.end, info.first.end};
        case date::local_info::ambiguous:
            return {first, UnixSeconds{shown.time_since_epoch() - info.second.offset}};
        default:
            return {first, first};
    }
}

UnixSeconds TimeZone::next_jump(UnixSeconds time) const {
    return zone_of(zone_).get_info(time).end;
}

}  // namespace culvert::portal
