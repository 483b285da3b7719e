#pragma once

#include <filesystem>
#include <optional>

#include "culvert/os_dns/dns_control.h"
#include "culvert/os_dns/file_watch.h"

namespace culvert::os_dns {

/// Leaves the machine as it is and only looks at /etc/resolv.conf. Source: spec/dns.md section 11.4.
class NoControl final : public DnsControl {
public:
    explicit NoControl(std::filesystem::path root = "/");

    [[nodiscard]] Result start() override { return {}; }
    [[nodiscard]] Result apply(const Settings& /*settings*/) override { return {}; }
    [[nodiscard]] Result revert() override { return {}; }
    void flush_caches() override {}
    [[nodiscard]] std::vector<net::IpAddress> system_resolvers() override;
    [[nodiscard]] Wait wait() const override;
    [[nodiscard]] std::expected<bool, std::string> process(Instant now) override;

private:
    std::filesystem::path root_;
    std::optional<FileWatch> watch_;
};

}  // namespace culvert::os_dns
