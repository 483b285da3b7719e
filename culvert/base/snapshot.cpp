#include "culvert/base/snapshot.h"

namespace culvert {

Snapshot& Snapshot::line(std::string_view name) {
    if (!text_.empty()) {
        text_ += '\n';
    }
    text_.append(2 * depth_, ' ').append(name);
    return *this;
}

/// Line breaks of a hostile value must not look like state.
void Snapshot::append(std::string_view value) {
    for (const char c : value) {
        text_ += c == '\n' ? ' ' : c;
    }
}

void Snapshot::append(Instant value) {
    if (value == Instant::max()) {
        text_ += "never";
        return;
    }
    const auto difference = (value - now_).count();
    text_ += (difference < 0 ? "" : "+") + std::to_string(difference) + "ns";
}

}  // namespace culvert
