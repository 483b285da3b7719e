#include "culvert/tunnel/device/tun_config_cell.h"

#include <utility>

namespace culvert::tunnel {

void TunConfigCell::set(TunConfig config) {
    current_ = std::move(config);
    may_differ_ = true;
}

std::optional<TunConfig> TunConfigCell::poll() {
    if (!std::exchange(may_differ_, false) || current_ == announced_) {
        return std::nullopt;
    }
    announced_ = current_;
    return announced_;
}

}  // namespace culvert::tunnel
