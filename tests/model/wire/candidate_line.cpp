#include "tests/model/wire/candidate_line.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace culvert::model::wire {
namespace {

std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> words;
    while (true) {
        const auto space = line.find(' ');
        words.push_back(line.substr(0, space));
        if (space == std::string_view::npos) {
            return words;
        }
        line.remove_prefix(space + 1);
    }
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

std::optional<CandidateKind> parse_kind(std::string_view text) {
    if (text == "host") {
        return CandidateKind::kHost;
    }
    if (text == "srflx") {
        return CandidateKind::kServerReflexive;
    }
    return text == "relay" ? std::optional{CandidateKind::kRelay} : std::nullopt;
}

bool is_foundation(std::string_view text) {
    return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
        // ice-char of RFC 8839 section 5.1.
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
    });
}

}  // namespace

std::expected<CandidateLine, std::string_view> CandidateLine::parse(std::string_view line) {
    constexpr std::string_view kPrefix = "candidate:";
    if (!line.starts_with(kPrefix)) {
        return std::unexpected{"candidate does not start with candidate:"};
    }
    auto words = split(line.substr(kPrefix.size()));
    if (words.size() < 8 || words[1] != "1" || words[2] != "udp" || words[6] != "typ" || !is_foundation(words[0])) {
        return std::unexpected{"candidate is not of the form of a UDP candidate of component 1"};
    }
    const auto priority = parse_number<std::uint32_t>(words[3]);
    const auto ip = net::IpAddress::parse(words[4]);
    const auto port = parse_number<std::uint16_t>(words[5]);
    const auto kind = parse_kind(words[7]);
    if (!priority || !ip || !port || *port == 0 || !kind) {
        return std::unexpected{"candidate has an invalid priority, address, port or kind"};
    }
    if (ip->is_unspecified() || ip->is_multicast() || ip->is_broadcast()) {
        return std::unexpected{"candidate has an address that nobody can be reached at"};
    }
    CandidateLine candidate{.priority = *priority, .address = {*ip, *port}, .kind = *kind};
    std::size_t next = 8;
    if (*kind != CandidateKind::kHost) {
        // The real base is not disclosed.
        const std::string_view hidden = ip->is_v4() ? "0.0.0.0" : "::";
        if (words.size() < next + 4 || words[next] != "raddr" || words[next + 1] != hidden ||
            words[next + 2] != "rport" || words[next + 3] != "0") {
            return std::unexpected{"candidate's raddr and rport are not the unspecified address and 0"};
        }
        next += 4;
    }
    if (words.size() == next + 2 && words[next] == "ufrag" && !words[next + 1].empty()) {
        candidate.ufrag = words[next + 1];
        next += 2;
    }
    if (words.size() != next) {
        return std::unexpected{"candidate has extensions that are never sent"};
    }
    return candidate;
}

std::optional<CandidateLine> CandidateLine::read(std::string_view line) {
    const auto words = split(line);
    if (words.size() < 8) {
        return std::nullopt;
    }
    const auto ip = net::IpAddress::parse(words[4]);
    const auto port = parse_number<std::uint16_t>(words[5]);
    const auto kind = parse_kind(words[7]);
    return ip && port && kind ? std::optional{CandidateLine{.address = {*ip, *port}, .kind = *kind}} : std::nullopt;
}

bool CandidateLine::has_valid_priority() const {
    struct Preferences {
        std::uint32_t type;
        std::uint32_t local;
        bool is_numbered;
        bool may_cross;
    };
    const auto preferences = [&]() -> Preferences {
        switch (kind) {
            case CandidateKind::kHost:
                return {126, 65535, true, false};
            case CandidateKind::kServerReflexive:
                return {100, 65535, false, false};
            case CandidateKind::kRelay:
                return {2, 16383, true, true};
        }
        return {};
    }();
    if (priority >> 24 != preferences.type || (priority & 0xFF) != 0xFF) {
        return false;
    }
    const auto highest = preferences.local - (address.is_v4() ? 1U : 0U);
    const auto local = (priority >> 8) & 0xFFFF;
    if (local > highest) {
        return false;
    }
    // Two less per earlier candidate of the kind and family, 1000 less if the relay is talked to over the other family.
    const auto below = highest - local;
    return preferences.is_numbered ? below % 2 == 0 && below < (preferences.may_cross ? 2000U : 1000U) : below == 0;
}

}  // namespace culvert::model::wire
