#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "culvert/io/pace.h"
#include "culvert/os_dns/dns_control.h"

struct sd_bus;
struct sd_bus_message;

namespace culvert::os_dns {

/// Control by telling systemd-resolved, over D-Bus, that all names are to be asked for at the TUN interface. It forgets
/// that when the interface goes, so a crash leaves nothing behind. Source: spec/dns.md section 11.2;
/// org.freedesktop.resolve1(5).
///
/// If systemd-resolved starts anew, or the bus does, all is told again.
class SystemdResolved final : public DnsControl {
public:
    struct Options {
        unsigned interface_index = 0;
        std::function<void(const Notice&)> on_notice = [](const Notice&) {};
        /// For each call.
        std::chrono::milliseconds patience{3000};
    };

    /// Connects to the system's bus, or where DBUS_SYSTEM_BUS_ADDRESS says. The bus takes us for whoever we are now.
    [[nodiscard]] static std::expected<std::unique_ptr<SystemdResolved>, std::string> open(Options options);
    ~SystemdResolved() override;

    /// Fails if systemd-resolved does not answer.
    [[nodiscard]] Result start() override;
    [[nodiscard]] Result apply(const Settings& settings) override;
    [[nodiscard]] Result revert() override;
    void flush_caches() override;
    [[nodiscard]] std::vector<net::IpAddress> system_resolvers() override;
    [[nodiscard]] Wait wait() const override;
    [[nodiscard]] std::expected<bool, std::string> process(Instant now) override;

private:
    struct Closer {
        void operator()(sd_bus* bus) const;
    };
    /// What went wrong, as D-Bus names it.
    struct Failure {
        std::string name;
        std::string text;
    };
    using Outcome = std::optional<Failure>;
    using Fill = std::function<int(sd_bus_message*)>;

    explicit SystemdResolved(Options options) : options_{std::move(options)} {}

    [[nodiscard]] Result connect();
    /// Calls `method` for our interface with the arguments that `fill` appends.
    [[nodiscard]] Outcome call(const char* method, const Fill& fill = [](sd_bus_message*) { return 0; });
    [[nodiscard]] Outcome tell(const Settings& settings);
    /// Once more what apply() was asked for, later.
    void tell_later(Instant now);
    /// Nullopt if it does not answer.
    [[nodiscard]] std::optional<std::vector<net::IpAddress>> ask_resolvers(Failure& failure);

    Options options_;
    std::unique_ptr<sd_bus, Closer> bus_;
    std::optional<Settings> applied_;
    std::vector<net::IpAddress> resolvers_;
    bool has_news_ = false;      ///< its properties have changed
    bool is_new_owner_ = false;  ///< it has been started anew
    io::Pace repeats_;
    std::optional<Instant> repeat_at_;
};

}  // namespace culvert::os_dns
