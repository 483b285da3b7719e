#include "culvert/resolver/host_names.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "culvert/observability/log.h"
#include "culvert/resolver/constants.h"

namespace culvert::resolver {
namespace {

constexpr log::Logger kLog{"resolver"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_of_host_name(char c) {
    return is_digit(c) || (dns::to_lower(c) >= 'a' && dns::to_lower(c) <= 'z') || c == '-' || c == '_';
}

}  // namespace

void HostNames::look_up(const dns::Name& name, AddressLookUp::Handler handler) {
    const auto host = host_name_of(name);
    if (!host) {
        return handler(AddressLookUp::Found{.lifetime = kMinLifetime});
    }
    if (look_ups_.size() >= kMaxLookUps) {
        kLog.debug("Too many names are being looked up");
        return handler(std::nullopt);
    }
    const auto id = next_++;
    auto look_up = std::make_unique<AddressLookUp>(
        context_,
        AddressLookUp::Options{
            .mark = options_.mark, .limit = kLookUpTime, .port = options_.port, .resolv_conf = options_.resolv_conf},
        [this, id, handler = std::move(handler)](std::optional<AddressLookUp::Found> found) {
            const auto finished = look_ups_.extract(id);
            handler(std::move(found));
        });
    auto& started = *look_up;
    look_ups_.emplace(id, std::move(look_up));
    started.start(*host);
}

std::optional<std::string> host_name_of(const dns::Name& name) {
    std::string_view last;
    bool is_host = !name.is_root();
    name.for_each_label([&](std::string_view label) {
        is_host = is_host && std::ranges::all_of(label, is_of_host_name);
        last = label;
    });
    if (!is_host || std::ranges::all_of(last, is_digit)) {
        return std::nullopt;
    }
    // c-ares 1.18 answers these by itself, and loses memory each time.
    const bool is_own = std::ranges::equal(last, std::string_view{"localhost"}, {}, dns::to_lower);
    return is_own ? std::nullopt : std::optional{name.to_string()};
}

}  // namespace culvert::resolver
