#include "culvert/dns/resources.h"

#include "culvert/observability/log.h"

namespace culvert::dns {

namespace {

constexpr log::Logger kLog{"dns"};

constexpr std::size_t kRecentNames = 1024;

}  // namespace

bool Resources::add(ResourceId id, std::string_view address, IpStack stack) {
    remove(id);
    const auto pattern = Pattern::parse(address);
    if (!pattern) {
        kLog.warn("Ignoring DNS resource whose address is no pattern: correct it in the portal", log::field("rid", id),
                  log::field("error", to_string(pattern.error())));
        return false;
    }
    patterns_.add(id, *pattern);
    stacks_.emplace(id, stack);
    return true;
}

void Resources::remove(ResourceId id) {
    ++changes_;
    patterns_.remove(id);
    stacks_.erase(id);
}

std::optional<Resources::Match> Resources::match(const Name& name) const {
    recent_.resize(kRecentNames);
    auto& found = recent_[name.hash() % kRecentNames];
    if (found.changes != changes_ || found.name != name) {
        const auto id = patterns_.match(name);
        found = {.name = name,
                 .match = id ? std::optional{Match{*id, stacks_.find(*id)->second}} : std::nullopt,
                 .changes = changes_};
    }
    return found.match;
}

}  // namespace culvert::dns
