#pragma once

namespace culvert::command_line {

/// Lets this process open as many files and sockets as the administrator allows, not just as many as is usual.
void raise_descriptor_limit();

}  // namespace culvert::command_line
