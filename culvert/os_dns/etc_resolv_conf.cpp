#include "culvert/os_dns/etc_resolv_conf.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "culvert/os_dns/constants.h"
#include "culvert/os_dns/resolv_conf_reader.h"
#include "culvert/os_dns/resolv_conf_text.h"

namespace culvert::os_dns {
namespace {

using Result = DnsControl::Result;

constexpr const char* kLockName = ".resolv.conf.lock";

constexpr const char* kOtherMethods =
    "Pass --dns-control systemd-resolved if systemd-resolved runs here, or --dns-control disabled.";

/// Whether the file cannot be replaced, but perhaps written.
bool is_fixed_in_place(std::error_code error) {
    // A mount point; one on another file system; a file that we may not give to its owner.
    return error == std::errc::device_or_resource_busy || error == std::errc::cross_device_link ||
           error == std::errc::operation_not_permitted;
}

}  // namespace

std::expected<std::unique_ptr<EtcResolvConf>, std::string> EtcResolvConf::open(Options options) {
    const auto path = options.root / "etc";
    auto folder = ConfigFolder::open(path, options.fault);
    if (!folder) {
        return std::unexpected{"cannot open " + path.string() + ": " + folder.error().message() + '.'};
    }
    bool is_locked = folder->lock(kLockName);
    for (auto waited = kLockPause; !is_locked && waited <= options.lock_patience; waited += kLockPause) {
        std::this_thread::sleep_for(kLockPause);
        is_locked = folder->lock(kLockName);
    }
    if (!is_locked) {
        return std::unexpected{"another client controls " + (path / kLiveName).string() +
                               ". End it, or pass --dns-control disabled to this one."};
    }
    auto watch = FileWatch::open(options.root, kResolvConf);
    if (!watch) {
        options.on_notice({.is_warning = true,
                           .text = "cannot watch " + (path / kLiveName).string() + ": " + watch.error().message()});
    }
    return std::unique_ptr<EtcResolvConf>{new EtcResolvConf{
        std::move(*folder), watch ? std::optional{std::move(*watch)} : std::nullopt, std::move(options)}};
}

EtcResolvConf::EtcResolvConf(ConfigFolder folder, std::optional<FileWatch> watch, Options options)
    : options_{std::move(options)}, folder_{std::move(folder)}, watch_{std::move(watch)} {}

// --- What is asked for ---

Result EtcResolvConf::start() {
    const auto live = folder_.read(kLiveName);
    if (!live) {
        return std::unexpected{explain(live.error(), kLiveName, "take over")};
    }
    if (!is_ours(*live)) {
        return {};
    }
    options_.on_notice({.text = "putting back " + path_of(kLiveName) + ", which a client that was killed has left"});
    return restore(*live);
}

Result EtcResolvConf::apply(const Settings& settings) {
    if (settings.servers.empty()) {
        return revert();
    }
    if (auto valid = check(settings); !valid) {
        return valid;
    }
    const auto live = folder_.read(kLiveName);
    if (!live && applied_ && live.error() == std::errc::no_such_file_or_directory) {
        applied_ = settings;  // somebody is just replacing it: process() will see it
        return {};
    }
    if (!live) {
        return std::unexpected{explain(live.error(), kLiveName, "take over")};
    }
    auto before = *live;
    if (is_ours(*live)) {
        auto copy = original();
        if (!copy) {
            return std::unexpected{copy.error()};
        }
        before = std::move(*copy);
    } else if (const auto error = folder_.replace(kBackupName, *live)) {
        return std::unexpected{explain(error, kBackupName, "write")};
    }
    remembered_ = before;
    const ConfigFile ours{
        .text = rewritten(before.text, settings), .mode = live->mode, .uid = live->uid, .gid = live->gid};
    if (ours != *live) {
        if (auto written = write_ours(ours, before.text); !written) {
            return written;
        }
    }
    applied_ = settings;
    rewrite_at_.reset();
    return {};
}

Result EtcResolvConf::revert() {
    applied_.reset();
    rewrite_at_.reset();
    const auto live = folder_.read(kLiveName);
    // Without it, or with a link in its place, there is nothing of ours.
    return live && is_ours(*live) ? restore(*live) : Result{};
}

std::vector<net::IpAddress> EtcResolvConf::system_resolvers() {
    const auto live = folder_.read(kLiveName);
    if (!live) {
        return {};
    }
    if (!is_ours(*live)) {
        return without_sentinels(nameservers(live->text));
    }
    const auto copy = original();
    return copy ? without_sentinels(nameservers(copy->text)) : std::vector<net::IpAddress>{};
}

// --- What others do to the file ---

DnsControl::Wait EtcResolvConf::wait() const {
    return {.fd = watch_ ? watch_->fd() : -1, .events = POLLIN, .until = rewrite_at_};
}

std::expected<bool, std::string> EtcResolvConf::process(Instant now) {
    const bool is_changed = watch_ && watch_->take();
    if (is_changed && applied_ && !rewrite_at_) {
        const auto live = folder_.read(kLiveName);
        if (live && !is_ours(*live)) {
            rewrite_at_ = now + std::max(kFileSettling, rewrites_.delay(now));
        } else if (!live && live.error() != std::errc::no_such_file_or_directory) {
            warn(explain(live.error(), kLiveName, "take over again"));
        }
    }
    if (applied_ && rewrite_at_ && now >= *rewrite_at_) {
        rewrite_at_.reset();
        rewrites_.done(now);
        options_.on_notice({.text = "another program has written " + path_of(kLiveName) + ": taking it over again"});
        // A copy, since apply() replaces it.
        const auto settings = *applied_;
        if (auto again = apply(settings); !again) {
            warn(again.error());
        }
    }
    return is_changed;
}

// --- The file ---

std::expected<ConfigFile, std::string> EtcResolvConf::original() const {
    auto copy = folder_.read(kBackupName);
    if (copy) {
        return *std::move(copy);
    }
    if (remembered_) {
        return *remembered_;
    }
    return std::unexpected{path_of(kLiveName) + " was written by a client, and its copy of what was there before, " +
                           path_of(kBackupName) + ", cannot be read: " + copy.error().message() + ". Write your " +
                           "nameservers into " + path_of(kLiveName) + " without its first line, and start again."};
}

bool EtcResolvConf::is_ours(const ConfigFile& live) const {
    if (os_dns::is_ours(live.text)) {
        return true;
    }
    const auto copy = folder_.read(kBackupName);
    return copy && copy->text.size() < kMagicLine.size() && live.text == half_restored(copy->text, kMagicLine);
}

Result EtcResolvConf::write_ours(const ConfigFile& file, const std::string& before) const {
    auto error = folder_.replace(kLiveName, file);
    if (is_fixed_in_place(error)) {
        error = folder_.overwrite_marked(kLiveName, file.text);
        const auto live = error ? folder_.read(kLiveName) : std::unexpected{error};
        if (live && os_dns::is_ours(live->text)) {
            // Half a file of ours is no use to anybody. The next start tries again if this fails as well.
            static_cast<void>(folder_.overwrite_unmarked(kLiveName, before, kMagicLine));
        }
    }
    return error ? Result{std::unexpected{explain(error, kLiveName, "write")}} : Result{};
}

Result EtcResolvConf::restore(const ConfigFile& live) const {
    const auto copy = original();
    if (!copy) {
        return std::unexpected{copy.error()};
    }
    auto error = folder_.replace(kLiveName, {.text = copy->text, .mode = live.mode, .uid = live.uid, .gid = live.gid});
    if (is_fixed_in_place(error)) {
        error = folder_.overwrite_unmarked(kLiveName, copy->text, kMagicLine);
    }
    return error ? Result{std::unexpected{explain(error, kLiveName, "put back")}} : Result{};
}

std::string EtcResolvConf::path_of(const char* name) const {
    return (options_.root / "etc" / name).string();
}

std::string EtcResolvConf::explain(std::error_code error, const char* name, const char* what) const {
    const auto text = std::string{"cannot "} + what + ' ' + path_of(name) + ": ";
    if (error == std::errc::too_many_symbolic_link_levels) {
        return text + "it is a symbolic link, so another program manages it. " + kOtherMethods;
    }
    if (error == std::errc::no_such_file_or_directory) {
        return text + "it does not exist. Create it, empty at least. " + kOtherMethods;
    }
    if (error == std::errc::read_only_file_system) {
        return text + "the file system is read-only (in a unit file: ReadWritePaths=/etc). " + kOtherMethods;
    }
    if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted) {
        return text + error.message() + ". Start as root, and look whether the file is immutable (lsattr). " +
               kOtherMethods;
    }
    if (error == std::errc::invalid_argument) {
        return text + "it is no file. " + kOtherMethods;
    }
    return text + error.message() + ". " + kOtherMethods;
}

}  // namespace culvert::os_dns
