#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/net/ip_address.h"
#include "culvert/os_dns/settings.h"

namespace culvert::os_dns {

/// What an operator should know although it is no error.
struct Notice {
    bool is_warning = false;
    std::string text;  ///< for a person

    friend bool operator==(const Notice&, const Notice&) = default;
};

/// One way to control the machine's DNS. Source: spec/dns.md section 11. Errors are for a person and say what to do.
///
/// Calls may take as long as the machine's other programs make them wait, bounded; so they belong into a process of
/// their own (keeper.h), which has the privileges as well.
class DnsControl {
public:
    using Result = std::expected<void, std::string>;

    /// For poll(2).
    struct Wait {
        int fd = -1;
        short events = 0;
        std::optional<Instant> until;
    };

    virtual ~DnsControl() = default;

    /// Puts back what a killed predecessor left. Call it first.
    [[nodiscard]] virtual Result start() = 0;

    /// Makes the machine ask these servers. Without servers nobody is to be asked: all is as before the first call.
    [[nodiscard]] virtual Result apply(const Settings& settings) = 0;

    /// As before apply(). Nothing happens if somebody else has changed it meanwhile.
    [[nodiscard]] virtual Result revert() = 0;

    /// So that no name is remembered that a resource has now.
    virtual void flush_caches() = 0;

    /// Whom the machine would ask without us; never sentinels. Empty if nobody knows.
    [[nodiscard]] virtual std::vector<net::IpAddress> system_resolvers() = 0;

    /// When to call process().
    [[nodiscard]] virtual Wait wait() const = 0;
    /// True: system_resolvers() may be others now. Puts back what somebody else took away of what apply() did.
    [[nodiscard]] virtual std::expected<bool, std::string> process(Instant now) = 0;
};

}  // namespace culvert::os_dns
