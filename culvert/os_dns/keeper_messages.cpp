#include "culvert/os_dns/keeper_messages.h"

#include <algorithm>

#include "culvert/base/overloaded.h"

namespace culvert::os_dns {
namespace {

/// A name for each kind, in a line of its own.
constexpr std::string_view kApply = "apply\n";
constexpr std::string_view kFlush = "flush\n";
constexpr std::string_view kEnd = "end\n";
constexpr std::string_view kStarted = "started\n";
constexpr std::string_view kApplied = "applied\n";
constexpr std::string_view kFlushed = "flushed\n";
constexpr std::string_view kFailed = "failed\n";
constexpr std::string_view kResolvers = "resolvers\n";
constexpr std::string_view kInfo = "info\n";
constexpr std::string_view kWarning = "warning\n";

/// More are no use to anybody, and they fit into a packet.
constexpr std::size_t kMaxAddresses = 512;

std::string to_lines(const std::vector<net::IpAddress>& addresses) {
    std::string lines;
    for (std::size_t i = 0; i < std::min(addresses.size(), kMaxAddresses); ++i) {
        lines += addresses[i].to_string() + '\n';
    }
    return lines;
}

std::string with_text(std::string_view kind, std::string_view text) {
    return std::string{kind} + std::string{text.substr(0, kMaxPacket - kind.size())};
}

bool take_prefix(std::string_view& packet, std::string_view prefix) {
    const bool is_there = packet.starts_with(prefix);
    packet.remove_prefix(is_there ? prefix.size() : 0);
    return is_there;
}

/// Without its line feed; nullopt if there is none.
std::optional<std::string_view> take_line(std::string_view& packet) {
    const auto end = packet.find('\n');
    if (end == packet.npos) {
        return std::nullopt;
    }
    const auto line = packet.substr(0, end);
    packet.remove_prefix(end + 1);
    return line;
}

std::optional<std::vector<net::IpAddress>> take_addresses(std::string_view packet) {
    std::vector<net::IpAddress> addresses;
    while (!packet.empty()) {
        const auto line = take_line(packet);
        const auto address = line ? net::IpAddress::parse(*line) : std::nullopt;
        if (!address || addresses.size() == kMaxAddresses) {
            return std::nullopt;
        }
        addresses.push_back(*address);
    }
    return addresses;
}

}  // namespace

std::string encode(const KeeperRequest& request) {
    return std::visit(overloaded{
                          [](const Apply& apply) {
                              return std::string{kApply} + apply.settings.search_domain.value_or("") + '\n' +
                                     to_lines(apply.settings.servers);
                          },
                          [](const FlushCaches&) { return std::string{kFlush}; },
                          [](const End&) { return std::string{kEnd}; },
                      },
                      request);
}

std::string encode(const Report& report) {
    return std::visit(
        overloaded{
            [](const Started&) { return std::string{kStarted}; },
            [](const Applied&) { return std::string{kApplied}; },
            [](const Flushed&) { return std::string{kFlushed}; },
            [](const Failed& failed) { return with_text(kFailed, failed.text); },
            [](const SystemResolvers& found) { return std::string{kResolvers} + to_lines(found.addresses); },
            [](const Notice& notice) { return with_text(notice.is_warning ? kWarning : kInfo, notice.text); },
        },
        report);
}

std::optional<KeeperRequest> decode_request(std::string_view packet) {
    if (packet == kFlush) {
        return FlushCaches{};
    }
    if (packet == kEnd) {
        return End{};
    }
    if (!take_prefix(packet, kApply)) {
        return std::nullopt;
    }
    const auto domain = take_line(packet);
    auto servers = take_addresses(packet);
    if (!domain || !servers) {
        return std::nullopt;
    }
    Settings settings{.servers = *std::move(servers)};
    if (!domain->empty()) {
        settings.search_domain = *domain;
    }
    return Apply{std::move(settings)};
}

std::optional<Report> decode_report(std::string_view packet) {
    if (packet == kStarted) {
        return Started{};
    }
    if (packet == kApplied) {
        return Applied{};
    }
    if (packet == kFlushed) {
        return Flushed{};
    }
    if (take_prefix(packet, kFailed)) {
        return Failed{std::string{packet}};
    }
    if (take_prefix(packet, kInfo)) {
        return Notice{.text = std::string{packet}};
    }
    if (take_prefix(packet, kWarning)) {
        return Notice{.is_warning = true, .text = std::string{packet}};
    }
    if (take_prefix(packet, kResolvers)) {
        if (auto addresses = take_addresses(packet)) {
            return SystemResolvers{*std::move(addresses)};
        }
    }
    return std::nullopt;
}

}  // namespace culvert::os_dns
