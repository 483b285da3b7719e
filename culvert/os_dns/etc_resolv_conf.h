#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "culvert/io/pace.h"
#include "culvert/os_dns/config_folder.h"
#include "culvert/os_dns/dns_control.h"
#include "culvert/os_dns/file_watch.h"

namespace culvert::os_dns {

/// Names in /etc. Source: spec/dns.md section 11.3.
inline constexpr const char* kLiveName = "resolv.conf";
inline constexpr const char* kBackupName = "resolv.conf.before-firezone";

/// Control by rewriting /etc/resolv.conf. What was there is kept in a copy, which is never deleted, and put back at the
/// end or by the next start. Whatever happens meanwhile, at any time the file is the one of before, or begins with the
/// magic line while the copy is whole.
///
/// Who writes the file while it is ours (a DHCP client, a person) changes what is put back in the end: the new file
/// becomes the copy, and ours is written again.
class EtcResolvConf final : public DnsControl {
public:
    struct Options {
        std::filesystem::path root = "/";
        std::function<void(const Notice&)> on_notice = [](const Notice&) {};
        Fault fault;
        /// A predecessor that was killed may still be putting back what was there.
        std::chrono::milliseconds lock_patience{3000};
    };

    [[nodiscard]] static std::expected<std::unique_ptr<EtcResolvConf>, std::string> open(Options options);

    [[nodiscard]] Result start() override;
    [[nodiscard]] Result apply(const Settings& settings) override;
    [[nodiscard]] Result revert() override;
    void flush_caches() override {}
    [[nodiscard]] std::vector<net::IpAddress> system_resolvers() override;
    [[nodiscard]] Wait wait() const override;
    [[nodiscard]] std::expected<bool, std::string> process(Instant now) override;

private:
    EtcResolvConf(ConfigFolder folder, std::optional<FileWatch> watch, Options options);

    /// The copy of what was there before, on disk or in memory.
    [[nodiscard]] std::expected<ConfigFile, std::string> original() const;
    [[nodiscard]] bool is_ours(const ConfigFile& live) const;
    /// Its text is ours: begins with the magic line.
    [[nodiscard]] Result write_ours(const ConfigFile& file, const std::string& before) const;
    [[nodiscard]] Result restore(const ConfigFile& live) const;
    [[nodiscard]] std::string path_of(const char* name) const;
    [[nodiscard]] std::string explain(std::error_code error, const char* name, const char* what) const;
    void warn(std::string text) const { options_.on_notice({.is_warning = true, .text = std::move(text)}); }

    Options options_;
    ConfigFolder folder_;
    std::optional<FileWatch> watch_;
    std::optional<Settings> applied_;
    std::optional<ConfigFile> remembered_;  ///< the copy, should somebody delete it
    io::Pace rewrites_;
    std::optional<Instant> rewrite_at_;
};

}  // namespace culvert::os_dns
