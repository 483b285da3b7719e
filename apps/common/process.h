#pragma once

namespace culvert::command_line {

/// Lets this process open as many files and sockets as the administrator allows, not just as many as is usual.
void raise_descriptor_limit();

/// Holds SIGINT, SIGTERM and SIGHUP back until the program is ready to handle them: one that came while it starts would
/// end it without a word, and without undoing what it has done to the host. Call it first in main().
void hold_signals();
/// What was held back takes effect, by what handles it now.
void release_signals();

}  // namespace culvert::command_line
