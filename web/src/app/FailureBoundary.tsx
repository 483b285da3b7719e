import { Button } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { EmptyState } from "../parts/EmptyState";
import { text } from "../text";

/** A page that breaks leaves the others usable. */
export class FailureBoundary extends Component<{ children: ReactNode }, { failure: Error | null }> {
  override state: { failure: Error | null } = { failure: null };

  static getDerivedStateFromError(failure: Error) {
    return { failure };
  }

  override render() {
    if (!this.state.failure) return this.props.children;
    return (
      <EmptyState
        icon="warning"
        title={text.problem.other}
        words={this.state.failure.message}
        action={
          <Button
            onClick={() => {
              window.location.reload();
            }}
          >
            {text.common.retry}
          </Button>
        }
      />
    );
  }
}
