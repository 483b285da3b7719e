#include "culvert/portal/version.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace culvert::portal {
namespace {

constexpr std::array<std::string_view, 7> kComponents = {
    "relay/", "connlib/", "headless-client/", "gui-client/", "apple-client/", "android-client/", "gateway/"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_identifier_character(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/// Dot-separated identifiers of a pre-release or build part.
bool are_identifiers(std::string_view text) {
    while (true) {
        const auto dot = text.find('.');
        const auto identifier = text.substr(0, dot);
        if (identifier.empty() || !std::ranges::all_of(identifier, is_identifier_character)) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(dot + 1);
    }
}

std::optional<std::uint32_t> take_number(std::string_view& text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto length = static_cast<std::size_t>(end - text.data());
    if (error != std::errc{} || (length > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    text.remove_prefix(length);
    return number;
}

bool take(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

}  // namespace

std::optional<Version> Version::parse(std::string_view text) {
    Version version;
    const auto major = take_number(text);
    if (!major || !take(text, '.')) {
        return std::nullopt;
    }
    const auto minor = take_number(text);
    if (!minor || !take(text, '.')) {
        return std::nullopt;
    }
    const auto patch = take_number(text);
    if (!patch) {
        return std::nullopt;
    }
    version = {*major, *minor, *patch};

    const auto plus = text.find('+');
    if (plus != std::string_view::npos) {
        if (!are_identifiers(text.substr(plus + 1))) {
            return std::nullopt;
        }
        text = text.substr(0, plus);
    }
    if (!text.empty() && (text.front() != '-' || !are_identifiers(text.substr(1)))) {
        return std::nullopt;
    }
    return version;
}

std::string Version::to_string() const {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

bool are_compatible(const Version& client, const Version& gateway) {
    const Version lowest{client.major, client.minor == 0 ? 0 : client.minor - 1, 0};
    const Version too_new{client.major, client.minor + 2, 0};
    return gateway >= lowest && gateway < too_new;
}

std::optional<UserAgent> UserAgent::parse(std::string_view text) {
    UserAgent agent;
    if (const auto slash = text.find('/'); slash != std::string_view::npos) {
        agent.os_name = text.substr(0, slash);
        const auto rest = text.substr(slash + 1);
        agent.os_version = rest.substr(0, rest.find(' '));
    }
    while (!text.empty()) {
        const auto space = text.find(' ');
        const auto word = text.substr(0, space);
        for (const auto component : kComponents) {
            if (word.starts_with(component)) {
                agent.component = component.substr(0, component.size() - 1);
                agent.version = word.substr(component.size());
                return agent;
            }
        }
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    }
    return std::nullopt;
}

ClientComponent client_component(std::string_view user_agent, bool is_service_account) {
    static constexpr std::array kWords{std::pair{std::string_view{"headless-client"}, ClientComponent::kHeadless},
                                       std::pair{std::string_view{"gui-client"}, ClientComponent::kGui},
                                       std::pair{std::string_view{"apple-client"}, ClientComponent::kApple},
                                       std::pair{std::string_view{"android-client"}, ClientComponent::kAndroid}};
    if (const auto agent = UserAgent::parse(user_agent)) {
        for (const auto& [word, component] : kWords) {
            if (agent->component == word) {
                return component;
            }
        }
    }
    if (user_agent.starts_with("Mac OS") || user_agent.starts_with("macOS") || user_agent.starts_with("iOS")) {
        return ClientComponent::kApple;
    }
    if (user_agent.starts_with("Android")) {
        return ClientComponent::kAndroid;
    }
    return is_service_account ? ClientComponent::kHeadless : ClientComponent::kGui;
}

bool handles_expiry_updates(const Version& gateway) {
    return gateway < Version{1, 6, 0};
}

bool handles_site_changes(ClientComponent component, const Version& version) {
    switch (component) {
        case ClientComponent::kApple:
        case ClientComponent::kGui:
            return version >= Version{1, 5, 9};
        case ClientComponent::kAndroid:
        case ClientComponent::kHeadless:
            return version >= Version{1, 5, 5};
    }
    return false;
}

bool knows_device_pools(ClientComponent component, const Version& version) {
    switch (component) {
        case ClientComponent::kApple:
            return version >= Version{1, 5, 16};
        case ClientComponent::kGui:
            return version >= Version{1, 5, 13};
        case ClientComponent::kAndroid:
            return version >= Version{1, 5, 11};
        case ClientComponent::kHeadless:
            return version >= Version{1, 5, 9};
    }
    return false;
}

bool can_be_device(ClientComponent component, const Version& version) {
    switch (component) {
        case ClientComponent::kApple:
            return version >= Version{1, 5, 14};
        case ClientComponent::kGui:
            return version >= Version{1, 5, 11};
        case ClientComponent::kAndroid:
            return version >= Version{1, 5, 9};
        case ClientComponent::kHeadless:
            return version >= Version{1, 5, 7};
    }
    return false;
}

}  // namespace culvert::portal
