import { Drawer, Loader } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { Link } from "wouter";
import { useLive } from "../api/live";
import type { Session } from "../api/types";
import { EmptyState } from "../parts/EmptyState";
import { usePlace } from "../parts/path";
import { text } from "../text";
import { FailureBoundary } from "./FailureBoundary";
import { Navigation } from "./Navigation";
import { FirstStepsPage, pageOf, PAGES } from "./pages";
import { SearchDialog } from "./SearchDialog";
import { TopBar } from "./TopBar";

function Content() {
  const { page } = usePlace();
  if (page === "first-steps") return <FirstStepsPage />;
  const name = pageOf(page);
  if (name === null) {
    return (
      <EmptyState
        icon="warning"
        title={text.common.unknownPage}
        words=""
        action={<Link href="/">{text.common.toOverview}</Link>}
      />
    );
  }
  const Page = PAGES[name];
  return <Page />;
}

/** Navigation around the page that the URL names. */
export function Shell({ session }: { session: Session }) {
  useLive(useQueryClient());
  const { page } = usePlace();
  const current = pageOf(page);
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [isSearching, setSearching] = useState(false);
  useHotkeys(
    [
      [
        "mod+K",
        () => {
          setSearching(true);
        },
      ],
    ],
    [],
  );

  return (
    <div className="shell">
      <a href="#content" className="skip-link">
        {text.nav.skip}
      </a>
      <aside className="side">
        <Link href="/" className="brand">
          <img src="/admin/icon.svg" width={26} height={26} alt="" />
          {text.product}
        </Link>
        <Navigation current={current} />
      </aside>
      <Drawer
        opened={isMenuOpen}
        onClose={() => {
          setMenuOpen(false);
        }}
        size={260}
        lockScroll={false}
        title={text.product}
        closeButtonProps={{ "aria-label": text.nav.close }}
      >
        <Navigation
          current={current}
          onChoose={() => {
            setMenuOpen(false);
          }}
        />
      </Drawer>
      <TopBar
        session={session}
        onMenu={() => {
          setMenuOpen(true);
        }}
        onSearch={() => {
          setSearching(true);
        }}
      />
      <main id="content" className="content" tabIndex={-1}>
        <FailureBoundary key={page}>
          <Suspense fallback={<Loader aria-label={text.common.loading} className="page-loader" />}>
            <Content />
          </Suspense>
        </FailureBoundary>
      </main>
      {isSearching && (
        <SearchDialog
          onClose={() => {
            setSearching(false);
          }}
        />
      )}
    </div>
  );
}
