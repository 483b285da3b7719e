#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace culvert::portal {

/// The numbers of a semantic version; pre-release and build parts are accepted and forgotten.
struct Version {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t patch = 0;

    /// "1.5.9", "1.5.9-rc.1+build"; nullopt for anything that is not semver.org 2.0.
    [[nodiscard]] static std::optional<Version> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;

    friend auto operator<=>(const Version&, const Version&) = default;
};

/// Whether a client and a gateway of these versions speak to each other: one minor version of the client back, one
/// ahead (spec/portal-protocol.md section 11 step 3).
[[nodiscard]] bool are_compatible(const Version& client, const Version& gateway);

/// The kinds of client that version gates tell apart (spec/portal-protocol.md section 2.3).
enum class ClientComponent { kApple, kAndroid, kHeadless, kGui };

/// What a User-Agent says: "Ubuntu/24.4.0 headless-client/1.5.5 (x86_64; 6.8.0)".
struct UserAgent {
    /// The first known component name, e.g. "headless-client".
    std::string component;
    /// Text after it, e.g. "1.5.5"; not necessarily a valid version.
    std::string version;
    std::string os_name;
    std::string os_version;

    /// nullopt if no known component is named.
    [[nodiscard]] static std::optional<UserAgent> parse(std::string_view text);
};

/// By the component that it names, else by its system (spec/newer-dialect.md section 2.2). Clients of before September
/// 2025 all name the same one.
[[nodiscard]] ClientComponent client_component(std::string_view user_agent, bool is_service_account);

/// Whether a client knows what a pool of devices is, and whether it may be one of the devices
/// (spec/newer-dialect.md section 2.4).
[[nodiscard]] bool knows_device_pools(ClientComponent component, const Version& version);
[[nodiscard]] bool can_be_device(ClientComponent component, const Version& version);
/// Whether two clients speak to each other.
[[nodiscard]] inline bool are_of_one_generation(const Version& a, const Version& b) {
    return a.major == b.major && a.minor == b.minor;
}

/// Whether a client takes a changed set of sites in place. Others need the resource deleted and created again.
[[nodiscard]] bool handles_site_changes(ClientComponent component, const Version& version);

/// Whether a gateway takes another expiry of what it granted by itself. Others need the authorization again
/// (spec/newer-dialect.md section 8).
[[nodiscard]] bool handles_expiry_updates(const Version& gateway);

}  // namespace culvert::portal
