#include "tests/model/world/relay_users.h"

namespace culvert::model {
namespace {

constexpr std::string_view kAllocation = "allocation client=";

std::size_t indentation(std::string_view line) {
    const auto first = line.find_first_not_of(' ');
    return first == std::string_view::npos ? line.size() : first;
}

}  // namespace

RelayUsers read_relay_users(std::string_view snapshot) {
    RelayUsers users;
    std::string* current = nullptr;
    std::size_t level = 0;
    while (!snapshot.empty()) {
        const auto end = snapshot.find('\n');
        const auto line = snapshot.substr(0, end);
        snapshot.remove_prefix(end == std::string_view::npos ? snapshot.size() : end + 1);
        const auto depth = indentation(line);
        const auto text = line.substr(depth);
        if (text.starts_with(kAllocation)) {
            const auto rest = text.substr(kAllocation.size());
            current = &users[std::string{rest.substr(0, rest.find(' '))}];
            level = depth;
        } else if (depth <= level) {
            current = nullptr;
        }
        if (current != nullptr) {
            current->append(text).append("\n");
        }
    }
    return users;
}

bool differ_only_for(std::string_view user, const RelayUsers& before, const RelayUsers& after) {
    const auto without = [&](RelayUsers users) {
        if (const auto found = users.find(user); found != users.end()) {
            users.erase(found);
        }
        return users;
    };
    return without(before) == without(after);
}

}  // namespace culvert::model
