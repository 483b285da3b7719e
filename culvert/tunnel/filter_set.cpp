#include "culvert/tunnel/filter_set.h"

#include <algorithm>

namespace culvert::tunnel {

void FilterSet::add(std::span<const portal_api::Filter> filters) {
    everything_ = everything_ || filters.empty();
    for (const auto& filter : filters) {
        const Range range{filter.port_range_start, filter.port_range_end};
        switch (filter.protocol) {
            case portal_api::FilterProtocol::kTcp:
                insert(tcp_, range);
                break;
            case portal_api::FilterProtocol::kUdp:
                insert(udp_, range);
                break;
            case portal_api::FilterProtocol::kIcmp:
                icmp_ = true;
                break;
        }
    }
}

std::optional<Refusal> FilterSet::check(const Service& service) const {
    if (everything_) {
        return std::nullopt;
    }
    switch (service.protocol) {
        case Service::Protocol::kTcp:
            return contains(tcp_, service.port) ? std::nullopt : std::optional{Refusal::kTcpPort};
        case Service::Protocol::kUdp:
            return contains(udp_, service.port) ? std::nullopt : std::optional{Refusal::kUdpPort};
        case Service::Protocol::kIcmp:
            return icmp_ ? std::nullopt : std::optional{Refusal::kIcmp};
        case Service::Protocol::kOther:
            break;
    }
    return Refusal::kNoFilter;
}

void FilterSet::insert(Ranges& ranges, Range range) {
    if (range.first > range.last) {
        return;
    }
    // the known ranges that touch or overlap the new one are swallowed by it
    const auto begin = std::ranges::find_if(ranges, [&](const Range& known) { return known.last + 1 >= range.first; });
    const auto end =
        std::find_if(begin, ranges.end(), [&](const Range& known) { return known.first > range.last + 1; });
    for (auto swallowed = begin; swallowed != end; ++swallowed) {
        range.first = std::min(range.first, swallowed->first);
        range.last = std::max(range.last, swallowed->last);
    }
    ranges.insert(ranges.erase(begin, end), range);
}

bool FilterSet::contains(const Ranges& ranges, std::uint16_t port) {
    const auto candidate = std::ranges::lower_bound(ranges, port, {}, &Range::last);
    return candidate != ranges.end() && candidate->first <= port;
}

}  // namespace culvert::tunnel
