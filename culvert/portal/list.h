#pragma once

#include <cstddef>
#include <vector>

namespace culvert::portal {

/// A part of a list, and how long the whole is.
template <typename Row>
struct Listed {
    std::vector<Row> rows;
    std::size_t count = 0;
};

}  // namespace culvert::portal
