import { Drawer } from "@mantine/core";
import type { ReactNode } from "react";
import { text } from "../text";

interface Props {
  title: string;
  kind: string;
  onClose: () => void;
  children: ReactNode;
}

/** Where one object is looked at, made or edited, beside its list. */
export function ObjectDrawer({ title, kind, onClose, children }: Props) {
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="min(620px, 100vw)"
      lockScroll={false}
      transitionProps={{ duration: 120 }}
      title={
        <span className="drawer-title">
          <span className="dimmed">{kind}</span>
          <span>{title}</span>
        </span>
      }
      closeButtonProps={{ "aria-label": text.common.close }}
    >
      {children}
    </Drawer>
  );
}
