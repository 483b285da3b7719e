#include <charconv>

#include "culvert/ice/candidate.h"
#include "culvert/ice/constants.h"

namespace culvert::ice {
namespace {

bool is_ice_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/// Takes words off a text in which exactly one space separates words.
class Words {
public:
    explicit Words(std::string_view text) : rest_{text} {}

    /// The next word; empty at the end and where two spaces meet.
    std::string_view next() {
        const auto end = rest_.find(' ');
        const auto word = rest_.substr(0, end);
        rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
        return word;
    }

    /// Takes `key` and leaves its value next, or takes nothing.
    bool take(std::string_view key) {
        if (rest_.size() <= key.size() || !rest_.starts_with(key) || rest_[key.size()] != ' ') {
            return false;
        }
        rest_.remove_prefix(key.size() + 1);
        return true;
    }

private:
    std::string_view rest_;
};

template <typename T>
std::optional<T> parse_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<CandidateKind> parse_kind(std::string_view text) {
    using enum CandidateKind;
    for (const auto kind : {kHost, kServerReflexive, kPeerReflexive, kRelay}) {
        if (text == to_text(kind)) {
            return kind;
        }
    }
    return std::nullopt;
}

bool is_udp(std::string_view text) {
    return text.size() == 3 && (text[0] | 0x20) == 'u' && (text[1] | 0x20) == 'd' && (text[2] | 0x20) == 'p';
}

bool is_foundation(std::string_view text) {
    if (text.empty() || text.size() > kMaxFoundation) {
        return false;
    }
    for (const char c : text) {
        if (!is_ice_char(c)) {
            return false;
        }
    }
    return true;
}

std::optional<net::SocketAddress> parse_address(std::string_view ip, std::string_view port) {
    const auto address = net::IpAddress::parse(ip);
    const auto number = parse_number<std::uint16_t>(port);
    if (!address || !number) {
        return std::nullopt;
    }
    return net::SocketAddress{*address, *number};
}

/// The optional part, in this order only; what follows the first unknown word is ignored. False if a known key has a
/// malformed value.
bool parse_extensions(Words& words, Candidate& candidate) {
    if (words.take("tcptype")) {
        (void)words.next();
    }
    if (words.take("raddr")) {
        const auto ip = words.next();
        if (!words.take("rport")) {
            return false;
        }
        candidate.related = parse_address(ip, words.next());
        if (!candidate.related) {
            return false;
        }
    }
    for (const auto* key : {"generation", "network-id"}) {
        if (words.take(key)) {
            (void)words.next();
        }
    }
    if (words.take("ufrag")) {
        const auto ufrag = words.next();
        if (ufrag.empty() || ufrag.size() > kMaxUfrag) {
            return false;
        }
        candidate.ufrag = ufrag;
    }
    return true;
}

}  // namespace

std::optional<Candidate> parse_candidate(std::string_view text) {
    constexpr std::string_view kPrefix = "candidate:";
    if (!text.starts_with(kPrefix)) {
        return std::nullopt;
    }
    Words words{text.substr(kPrefix.size())};
    if (!is_foundation(words.next()) || words.next() != "1" || !is_udp(words.next())) {
        return std::nullopt;
    }
    const auto priority = parse_number<std::uint32_t>(words.next());
    const auto ip = words.next();
    const auto address = parse_address(ip, words.next());
    if (!priority || !address || !words.take("typ")) {
        return std::nullopt;
    }
    const auto kind = parse_kind(words.next());
    if (!kind) {
        return std::nullopt;
    }
    Candidate candidate{.kind = *kind, .address = *address, .base = *address, .priority = *priority};
    if (!parse_extensions(words, candidate)) {
        return std::nullopt;
    }
    return candidate;
}

}  // namespace culvert::ice
