#include "culvert/sandbox/identity.h"

#include <pwd.h>

#include <charconv>
#include <optional>
#include <vector>

namespace culvert::sandbox {
namespace {

constexpr std::size_t kAccountBytes = 64 * 1024;

/// Calls `look_up` (getpwnam_r or getpwuid_r without its first argument).
template <typename LookUp>
std::optional<Identity> find_account(LookUp look_up) {
    std::vector<char> memory(kAccountBytes);
    passwd entry{};
    passwd* found = nullptr;
    if (look_up(&entry, memory.data(), memory.size(), &found) != 0 || found == nullptr) {
        return std::nullopt;
    }
    return Identity{found->pw_uid, found->pw_gid, found->pw_name};
}

std::optional<Identity> find_account(const std::string& name) {
    return find_account([&](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); });
}

std::optional<Identity> find_account(uid_t uid) {
    return find_account([&](auto... rest) { return ::getpwuid_r(uid, rest...); });
}

std::optional<uid_t> parse_number(const std::string& text) {
    uid_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
}

}  // namespace

Identity identity_of(uid_t uid) {
    return find_account(uid).value_or(Identity{uid, uid, std::to_string(uid)});
}

std::expected<Identity, std::string> find_identity(const std::string& wanted, const ServiceAccount& service) {
    const std::string own_name{service.name};
    if (!wanted.empty()) {
        const auto number = parse_number(wanted);
        const auto account = number ? identity_of(*number) : find_account(wanted);
        if (!account) {
            return std::unexpected{"there is no account \"" + wanted +
                                   "\". Create it with \"useradd --system --shell /usr/sbin/nologin " + wanted +
                                   "\", or name another with --user."};
        }
        if (account->uid == 0 || account->gid == 0) {
            return std::unexpected{"\"" + wanted +
                                   "\" is root, or of its group. Name an account without privileges with --user."};
        }
        return *account;
    }
    if (const auto own = find_account(own_name)) {
        if (own->uid == 0 || own->gid == 0) {
            return std::unexpected{"the account \"" + own_name +
                                   "\" is root, or of its group. Give it an id of its own."};
        }
        return *own;
    }
    if (const auto other = find_account(service.spare_id)) {
        return std::unexpected{"the id " + std::to_string(service.spare_id) + " belongs to \"" + other->name +
                               "\". Create an account for this program with \"useradd --system --shell "
                               "/usr/sbin/nologin " +
                               own_name + "\", or name one with --user."};
    }
    return Identity{service.spare_id, service.spare_id, std::to_string(service.spare_id)};
}

}  // namespace culvert::sandbox
